import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { after, test } from "node:test";
import { wallMs } from "../../base/ids.ts";
import type { ExchangeEvents, Handler } from "../../ports/http-front.ts";
import { createNodeHttpFront, type NodeListener } from "./node-http.ts";
import { readTlsFiles, stampOf, type TlsMaterial } from "./tls-files.ts";

const folder = mkdtempSync(join(tmpdir(), "tidegate-tls-"));
after(() => rmSync(folder, { recursive: true }));
cpSync(join(import.meta.dirname, "..", "..", "..", "test", "fixtures", "tls"), folder, { recursive: true });
const at = (name: string): string => join(folder, name);
for (const key of ["one.key", "two.key"]) chmodSync(at(key), 0o600);

const NOW = wallMs(Date.UTC(2027, 0, 1));
const ignore = (): undefined => undefined;
const NOTHING: ExchangeEvents = { body: ignore, bodyEnd: ignore, drained: ignore, gone: ignore };
const hello: Handler = (exchange) => {
  exchange.head(200, ["content-length", "5"]);
  exchange.write(Buffer.from("hello"));
  exchange.end();
  return NOTHING;
};

function materialOf(name: "one" | "two"): TlsMaterial {
  const read = readTlsFiles({ cert: at(`${name}.pem`), key: at(`${name}.key`) }, NOW);
  assert.ok(read.ok);
  return read.value;
}

async function listen(tls: TlsMaterial): Promise<NodeListener> {
  const listening = await createNodeHttpFront({ handshakeTimeoutMs: 60 }).listen({ host: "127.0.0.1", port: 0 }, hello, tls);
  assert.ok(listening.ok);
  return listening.value;
}

async function open({ address }: NodeListener, more: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port: address.port, host: "127.0.0.1", rejectUnauthorized: false, ...more });
  await once(socket, "secureConnect");
  return socket;
}

async function get(socket: TLSSocket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const pieces: unknown[] = await once(socket, "data");
  return String(pieces[0]);
}

const fingerprintOf = (socket: TLSSocket): string => socket.getPeerCertificate().fingerprint256;

test("the front serves HTTP/1.1 over TLS, and nothing below TLS 1.2", async () => {
  const listener = await listen(materialOf("one"));
  const socket = await open(listener, { ALPNProtocols: ["h2", "http/1.1"] });
  assert.equal(socket.alpnProtocol, "http/1.1");
  assert.match(await get(socket), /^HTTP\/1\.1 200 .*hello$/s);
  socket.destroy();
  await assert.rejects(open(listener, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }));
  assert.equal((await open(listener, { maxVersion: "TLSv1.2" })).getProtocol(), "TLSv1.2");
  await listener.close(0);
});

test("a new certificate is for new connections, and cuts none that is open", async () => {
  const listener = await listen(materialOf("one"));
  const before = await open(listener);
  listener.serveWith(materialOf("two"));
  const behind = await open(listener);
  assert.notEqual(fingerprintOf(behind), fingerprintOf(before));
  assert.match(await get(before), /hello$/);
  assert.match(await get(behind), /hello$/);
  await assert.rejects(open(listener, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }));
  await listener.close(0);
});

test("a handshake that is not TLS, or never comes, is cut, and others are served", async () => {
  const listener = await listen(materialOf("one"));
  const plain = connectPlain(listener.address.port, "127.0.0.1");
  plain.resume().write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const silent = connectPlain(listener.address.port, "127.0.0.1").resume();
  await Promise.all([plain, silent].map((socket) => new Promise((resolve) => socket.on("error", ignore).on("close", resolve))));
  assert.match(await get(await open(listener)), /hello$/);
  await listener.close(0);
});

const bad: readonly {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
  readonly nowMs?: number;
  readonly why: RegExp;
}[] = [
  { name: "a certificate that is not there", cert: "none.pem", key: "one.key", why: /none\.pem cannot be read: ENOENT/ },
  { name: "a key that is not there", cert: "one.pem", key: "none.key", why: /none\.key cannot be read: ENOENT/ },
  { name: "a certificate that is none", cert: "text", key: "one.key", why: /text holds no certificate in PEM/ },
  { name: "a key that is none", cert: "one.pem", key: "text", why: /text holds no private key in PEM/ },
  { name: "the key of another", cert: "one.pem", key: "two.key", why: /two\.key is not the key of the certificate/ },
  { name: "an expired one", cert: "one.pem", key: "one.key", nowMs: Date.UTC(2200, 0, 1), why: /expired on / },
  { name: "one of the future", cert: "one.pem", key: "one.key", nowMs: Date.UTC(2000, 0, 1), why: /is not valid before / },
];
for (const { name, cert, key, nowMs, why } of bad) {
  test(`TLS files are refused: ${name}`, () => {
    writeFileSync(at("text"), "hello");
    const read = readTlsFiles({ cert: at(cert), key: at(key) }, nowMs === undefined ? NOW : wallMs(nowMs));
    assert.match(read.ok ? "" : read.error, why);
  });
}

test("a key that others may read is said so with its mode, and a changed file has another stamp", () => {
  const paths = { cert: at("one.pem"), key: at("one.key") };
  assert.equal(materialOf("one").openKeyMode, null);
  const before = stampOf(paths);
  assert.equal(stampOf(paths), before);
  chmodSync(at("one.key"), 0o644);
  assert.equal(materialOf("one").openKeyMode, "644");
  assert.notEqual(stampOf(paths), before);
  chmodSync(at("one.key"), 0o600);
});
