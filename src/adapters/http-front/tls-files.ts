import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { err, ok, type Result } from "../../base/result.ts";
import type { WallMs } from "../../base/ids.ts";

export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
}

/** A certificate with its key, as node:tls takes them. */
export interface TlsMaterial {
  /** PEM: the certificate first, then those between it and its root. */
  readonly cert: string;
  readonly key: string;
  readonly subject: string;
  readonly expiresAtMs: number;
  /** Others than its owner may read the key's file: the mode, as chmod takes it. null = nobody else. */
  readonly openKeyMode: string | null;
}

/** @errors why these files cannot serve, as a sentence for people; nothing of the key is in it. */
export function readTlsFiles({ cert, key }: TlsPaths, nowMs: WallMs): Result<TlsMaterial, string> {
  const certText = readText(cert);
  if (!certText.ok) return certText;
  const keyText = readText(key);
  if (!keyText.ok) return keyText;
  const parsed = parse(`${cert} holds no certificate in PEM`, () => new X509Certificate(certText.value));
  if (!parsed.ok) return parsed;
  const privateKey = parse(`${key} holds no private key in PEM without a passphrase`, () => createPrivateKey(keyText.value));
  if (!privateKey.ok) return privateKey;
  const certificate = parsed.value;
  if (!certificate.checkPrivateKey(privateKey.value)) return err(`The key in ${key} is not the key of the certificate in ${cert}.`);
  const expiresAtMs = certificate.validToDate.getTime();
  if (expiresAtMs <= nowMs) return err(`The certificate in ${cert} expired on ${certificate.validTo}.`);
  if (certificate.validFromDate.getTime() > nowMs) return err(`The certificate in ${cert} is not valid before ${certificate.validFrom}.`);
  const usable = parse(`node:tls refuses ${cert}`, () => createSecureContext({ cert: certText.value, key: keyText.value }));
  if (!usable.ok) return usable;
  const mode = statSync(key).mode & 0o777;
  const openKeyMode = (mode & 0o077) === 0 ? null : mode.toString(8);
  return ok({ cert: certText.value, key: keyText.value, subject: certificate.subject.replaceAll("\n", ", "), expiresAtMs, openKeyMode });
}

function readText(path: string): Result<string, string> {
  try {
    return ok(readFileSync(path, "utf8"));
  } catch (cause) {
    return err(`${path} cannot be read: ${cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason"}.`);
  }
}

function parse<Value>(otherwise: string, make: () => Value): Result<Value, string> {
  try {
    return ok(make());
  } catch (cause) {
    return err(`${otherwise}${cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : ""}.`);
  }
}

/** What tells one state of the files from another without reading them; a file that is not there is a state too. */
export const stampOf = ({ cert, key }: TlsPaths): string => `${fileStamp(cert)} ${fileStamp(key)}`;

function fileStamp(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "none" : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
}
