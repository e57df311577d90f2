import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Explanation, type Result } from "../base/result.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { ClientOptions } from "./options.ts";
import { parseAdminFile } from "./parse-admin-answer.ts";

export const ADMIN_PORT = 8081;
export const LOOPBACK = "127.0.0.1";

export interface AdminTarget {
  readonly address: EndpointAddress;
  /** null = none is sent. */
  readonly token: string | null;
}

/** The port that was named, else the one that `up` wrote into the state directory, else the default. */
export function findAdmin(options: ClientOptions): Result<AdminTarget, Explanation> {
  const token = readToken(options.adminTokenFile ?? null);
  if (!token.ok) return token;
  const written = options.adminPort === undefined ? readAdminFile(options.dataDir) : null;
  const host = options.adminHost ?? written?.host ?? LOOPBACK;
  const port = options.adminPort ?? written?.port ?? ADMIN_PORT;
  return ok({ address: { host, port }, token: token.value });
}

/** null = `up` never ran there, or the file is torn: then the defaults are as good a guess as any. */
function readAdminFile(dataDir: string): EndpointAddress | null {
  const text = readFileOr(join(dataDir, "admin.json"));
  return typeof text === "string" ? parseAdminFile(text) : null;
}

/** The token of the admin API, from a file that nobody else may read. */
export function readToken(path: string | null): Result<string | null, Explanation> {
  if (path === null) return ok(null);
  const text = readFileOr(path);
  if (typeof text !== "string") {
    return err({ what: `The token file ${path} cannot be read.`, why: text.message, next: "Check --admin-token-file and its rights." });
  }
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    return err({ what: `The token file ${path} is open to others.`, why: `Its mode is ${mode.toString(8)}.`, next: `chmod 600 ${path}` });
  }
  const token = text.trim();
  if (/^[\x21-\x7e]{16,256}$/.test(token)) return ok(token);
  return err({
    what: `The token file ${path} holds no token.`,
    why: "A token is one line of 16 to 256 visible ASCII characters.",
    next: `Make one: (umask 077; openssl rand -hex 32 > ${path})`,
  });
}

function readFileOr(path: string): string | Error {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause) return cause;
    throw cause;
  }
}
