import { connect } from "node:net";
import { test } from "node:test";
import assert from "node:assert/strict";
import type { Exchange } from "../../ports/http-front.ts";
import { createNodeHttpFront } from "./node-http.ts";

/** What a client gets: status lines in order and whether the connection was closed; `reached` = requests that the handler saw. */
interface Payload {
  readonly name: string;
  readonly bytes: string | Buffer;
  readonly status: readonly number[];
  readonly reached?: number;
}

const host = "Host: 127.0.0.1\r\n";
const post = (headers: string, body: string): string => `POST /v1/x HTTP/1.1\r\n${host}${headers}\r\n${body}`;
const chunked = (body: string): string => post("Transfer-Encoding: chunked\r\n", body);
const head = (line: string, headers: string = host): string => `${line}\r\n${headers}Connection: close\r\n\r\n`;

const LENGTHS: readonly Payload[] = [
  { name: "length and chunks together", bytes: post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), status: [400] },
  { name: "chunks and length together", bytes: post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), status: [400] },
  { name: "two different lengths", bytes: post("Content-Length: 0\r\nContent-Length: 5\r\n", "hello"), status: [400] },
  { name: "two equal lengths", bytes: post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), status: [400] },
  { name: "a list of lengths", bytes: post("Content-Length: 0, 0\r\n", ""), status: [400] },
  { name: "a length with a plus", bytes: post("Content-Length: +5\r\n", "hello"), status: [400] },
  { name: "a hexadecimal length", bytes: post("Content-Length: 0x5\r\n", "hello"), status: [400] },
  { name: "a negative length", bytes: post("Content-Length: -5\r\n", "hello"), status: [400] },
  { name: "a length above 64 bits", bytes: post("Content-Length: 18446744073709551616\r\n", "hello"), status: [400] },
  { name: "an empty length", bytes: post("Content-Length: \r\n", "hello"), status: [400] },
];

const CODINGS: readonly Payload[] = [
  { name: "an unknown coding", bytes: post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), status: [400] },
  { name: "chunked that is not last", bytes: post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), status: [400] },
  { name: "identity", bytes: post("Transfer-Encoding: identity\r\n", "hello"), status: [400] },
  { name: "chunked twice", bytes: post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), status: [400] },
  { name: "a space before the colon", bytes: post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), status: [400] },
  { name: "a vertical tab before the coding", bytes: post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), status: [400] },
  { name: "a folded coding", bytes: post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), status: [400] },
];

const LINES: readonly Payload[] = [
  { name: "a folded header", bytes: post("X-A: b\r\n c\r\nContent-Length: 0\r\n", ""), status: [400] },
  { name: "bare line feeds", bytes: `POST /v1/x HTTP/1.1\nHost: a\nContent-Length: 0\n\n`, status: [400] },
  { name: "a bare carriage return in a header", bytes: post("X-A: b\rc\r\nContent-Length: 0\r\n", ""), status: [400] },
  { name: "a line feed between headers", bytes: post("X-A: b\nX-B: c\r\nContent-Length: 0\r\n", ""), status: [400] },
  { name: "a header without a name", bytes: post(": b\r\nContent-Length: 0\r\n", ""), status: [400] },
  { name: "a header without a colon", bytes: post("nonsense\r\nContent-Length: 0\r\n", ""), status: [400] },
  { name: "no Host", bytes: head("GET /v1/x HTTP/1.1", ""), status: [400] },
  { name: "a NUL in a value", bytes: post("X-A: b\0c\r\nContent-Length: 0\r\n", ""), status: [400] },
  { name: "a path beyond ASCII", bytes: Buffer.from(head("GET /v1/\u00e4 HTTP/1.1"), "utf8"), status: [400] },
  { name: "a head above 16 KiB", bytes: post(`X-A: ${"b".repeat(17_000)}\r\n`, ""), status: [431] },
  { name: "a target above 16 KiB", bytes: head(`GET /${"b".repeat(17_000)} HTTP/1.1`), status: [431] },
  { name: "an unknown expectation", bytes: post("Expect: foo\r\nContent-Length: 0\r\n", ""), status: [417] },
  { name: "an unknown version", bytes: head("GET /v1/x HTTP/3.7"), status: [400] },
  { name: "HTTP/0.9", bytes: "GET /v1/x\r\n\r\n", status: [400] },
  { name: "an unknown method", bytes: head("FROB /v1/x HTTP/1.1"), status: [400] },
  { name: "TLS", bytes: Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), status: [400] },
  { name: "the HTTP/2 preface", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: [400] },
];

const CHUNKS: readonly Payload[] = [
  { name: "a chunk size with 0x", bytes: chunked("0x5\r\nhello\r\n0\r\n\r\n"), status: [400], reached: 1 },
  { name: "a chunk size with a plus", bytes: chunked("+5\r\nhello\r\n0\r\n\r\n"), status: [400], reached: 1 },
  { name: "a chunk size with a space after it", bytes: chunked("5 \r\nhello\r\n0\r\n\r\n"), status: [400], reached: 1 },
  { name: "a chunk size above 64 bits", bytes: chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"), status: [400], reached: 1 },
  { name: "a chunk line that ends in a bare line feed", bytes: chunked("5\nhello\r\n0\r\n\r\n"), status: [400], reached: 1 },
  { name: "chunk data without its line end", bytes: chunked("5\r\nhello0\r\n\r\n"), status: [400], reached: 1 },
  { name: "a line feed inside a chunk extension", bytes: chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), status: [400], reached: 1 },
  { name: "a chunk extension of 20 KiB", bytes: chunked(`5;a=${"b".repeat(20_480)}\r\nhello\r\n0\r\n\r\n`), status: [413], reached: 1 },
];

const DECIDED: readonly Payload[] = [
  { name: "two hosts", bytes: head("GET /v1/x HTTP/1.1", `${host}Host: other\r\n`), status: [400] },
  { name: "a Host with a fragment", bytes: head("GET /v1/x HTTP/1.1", "Host: localhost:4000/#@attacker\r\n"), status: [400] },
  { name: "a Host with userinfo", bytes: head("GET /v1/x HTTP/1.1", "Host: user@localhost\r\n"), status: [400] },
  { name: "an absolute target", bytes: head("GET http://other/v1/x HTTP/1.1"), status: [400] },
  { name: "a target with a fragment", bytes: head("GET /v1/x#y HTTP/1.1"), status: [400] },
  { name: "HTTP/1.0 with chunks", bytes: "POST /v1/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: [400] },
  { name: "a GET with a body", bytes: `GET /v1/x HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`, status: [400] },
  { name: "a header named __proto__", bytes: head("GET /v1/x HTTP/1.1", `${host}__proto__: x\r\n`), status: [400] },
  { name: "101 headers", bytes: head("GET /v1/x HTTP/1.1", host + "a: b\r\n".repeat(99)), status: [431] },
  { name: "3,000 headers", bytes: head("GET /v1/x HTTP/1.1", host + "a: b\r\n".repeat(3_000)), status: [431] },
  { name: "a request behind a refused one", bytes: `GET http://x/ HTTP/1.1\r\n${host}\r\n${head("GET /b HTTP/1.1")}`, status: [400] },
  { name: "CONNECT", bytes: head("CONNECT other:80 HTTP/1.1"), status: [] },
];

const PASSED: readonly Payload[] = [
  { name: "a plain request", bytes: head("GET /v1/x HTTP/1.1"), status: [200], reached: 1 },
  { name: "100 headers", bytes: head("GET /v1/x HTTP/1.1", host + "a: b\r\n".repeat(98)), status: [200], reached: 1 },
  { name: "two requests sent ahead", bytes: `GET /a HTTP/1.1\r\n${host}\r\n${head("GET /b HTTP/1.1")}`, status: [200, 200], reached: 2 },
  { name: "a double slash", bytes: head("GET //admin HTTP/1.1"), status: [200], reached: 1 },
  { name: "dots in the path", bytes: head("GET /v1/../admin HTTP/1.1"), status: [200], reached: 1 },
  { name: "encoded dots in the path", bytes: head("GET /v1/%2e%2e/admin HTTP/1.1"), status: [200], reached: 1 },
  { name: "a tab before chunked", bytes: close("Transfer-Encoding:\tchunked", "5\r\nhello\r\n0\r\n\r\n"), status: [200], reached: 1 },
  { name: "a chunk extension", bytes: close("Transfer-Encoding: chunked", "5;a=b\r\nhello\r\n0\r\n\r\n"), status: [200], reached: 1 },
  { name: "trailers", bytes: close("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX-T: u\r\n\r\n"), status: [200], reached: 1 },
  { name: "an upgrade to h2c", bytes: head("GET /v1/x HTTP/1.1", `${host}Upgrade: h2c\r\n`), status: [200], reached: 1 },
  { name: "HTTP/1.0 without Host", bytes: "GET /v1/x HTTP/1.0\r\n\r\n", status: [200], reached: 1 },
];

function close(header: string, body: string): string {
  return post(`${header}\r\nConnection: close\r\n`, body);
}

const groups = { length: LENGTHS, coding: CODINGS, line: LINES, chunk: CHUNKS, decided: DECIDED, passed: PASSED };
for (const [group, payloads] of Object.entries(groups)) {
  for (const payload of payloads) {
    test(`the front answers ${payload.name} (${group}) with ${payload.status.join(", ") || "a close"}`, async () => {
      const reached: Exchange[] = [];
      const front = createNodeHttpFront();
      const listening = await front.listen({ host: "127.0.0.1", port: 0 }, (exchange) => {
        reached.push(exchange);
        return {
          body: (given) => assert.ok(given.byteLength > 0),
          bodyEnd: () => {
            exchange.head(200, ["content-length", "0"]);
            exchange.end();
          },
          drained: () => assert.fail("nothing is written"),
          gone: () => assert.equal(payload.status.includes(200), false),
        };
      });
      assert.ok(listening.ok);
      const text = await exchangeBytes(listening.value.address.port, payload.bytes);
      await listening.value.close(0);
      assert.deepEqual(
        [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])),
        payload.status,
      );
      assert.equal(reached.length, payload.reached ?? 0);
      if (payload.status[0] !== 200 && payload.status.length > 0) {
        assert.match(text, /"type":"invalid_request_error"/);
        assert.match(text, /\r\nx-should-retry: false\r\n/);
      }
    });
  }
}

/** Sends, and resolves with all that came when the server has closed. */
function exchangeBytes(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    const pieces: Buffer[] = [];
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    // A server that answers before it has read everything may reset what follows.
    socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" || error.code === "EPIPE" ? null : reject(error)));
    socket.on("close", () => resolve(Buffer.concat(pieces).toString("latin1")));
    socket.write(bytes);
  });
}
