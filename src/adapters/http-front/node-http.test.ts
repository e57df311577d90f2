import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import assert from "node:assert/strict";
import type { Exchange, Handler, Listener } from "../../ports/http-front.ts";
import { createNodeHttpFront, type NodeHttpFrontOptions } from "./node-http.ts";

const QUICK: NodeHttpFrontOptions = { headersTimeoutMs: 60, requestTimeoutMs: 120, checkIntervalMs: 10, writeStallMs: 100 };

async function listen(options: NodeHttpFrontOptions, handler: Handler): Promise<Listener> {
  const listening = await createNodeHttpFront(options).listen({ host: "127.0.0.1", port: 0 }, handler);
  assert.ok(listening.ok);
  return listening.value;
}

const unheard = {
  body: () => assert.fail("no body"),
  bodyEnd: () => assert.fail("no body"),
  drained: () => assert.fail("no room"),
  gone: () => assert.fail("nobody goes"),
};
const unreached: Handler = () => assert.fail("no request is complete");

function open(listener: Listener): { readonly socket: Socket; readonly received: Promise<string> } {
  const socket = connect(listener.address.port, "127.0.0.1");
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  const received = once(socket, "close").then(() => Buffer.concat(pieces).toString("latin1"));
  return { socket, received };
}

test("a client that never finishes its head is answered 408 and cut", async () => {
  const listener = await listen(QUICK, unreached);
  const { socket, received } = open(listener);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n");
  assert.match(await received, /^HTTP\/1\.1 408 .*"code":"request_timeout"/s);
  await listener.close(0);
});

test("a client that never finishes its body is answered 408, and gone for the handler", async () => {
  const gone = Promise.withResolvers<void>();
  const listener = await listen(QUICK, () => ({
    ...unheard,
    body: (given) => assert.equal(given.byteLength, 3),
    gone: () => gone.resolve(),
  }));
  const { socket, received } = open(listener);
  socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  await gone.promise;
  assert.match(await received, /^HTTP\/1\.1 408 /);
  await listener.close(0);
});

test("a reader that takes nothing is cut after the write stall, and gone for the handler", async () => {
  const gone = Promise.withResolvers<Exchange>();
  const listener = await listen(QUICK, (exchange) => {
    const fill = (): void => {
      while (exchange.write(new Uint8Array(65_536)));
    };
    exchange.head(200, []);
    return { ...unheard, bodyEnd: fill, drained: fill, gone: () => gone.resolve(exchange) };
  });
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  socket.pause();
  const exchange = await gone.promise;
  assert.equal(exchange.write(new Uint8Array(1)), true);
  socket.destroy();
  await listener.close(0);
});

test("a large answer to a steady reader is not cut", async () => {
  const bytes = 6 * 1_048_576;
  const listener = await listen({ ...QUICK, writeStallMs: 2_000 }, (exchange) => {
    exchange.head(200, ["content-length", String(bytes), "connection", "close"]);
    exchange.write(new Uint8Array(bytes));
    exchange.end();
    return { ...unheard, bodyEnd: () => assert.fail("the answer came first") };
  });
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  let receivedBytes = 0;
  for await (const piece of socket) if (piece instanceof Uint8Array) receivedBytes += piece.byteLength;
  assert.ok(receivedBytes > bytes);
  await listener.close(0);
});

test("an early answer reaches a client that still sends its body, and the rest is not read for ever", async () => {
  const listener = await listen({}, (exchange) => {
    exchange.head(413, ["content-length", "3", "connection", "close"]);
    exchange.write(new TextEncoder().encode("big"));
    exchange.end();
    return unheard;
  });
  const { socket, received } = open(listener);
  socket.on("error", (error: NodeJS.ErrnoException) => assert.match(error.code ?? "", /ECONNRESET|EPIPE/));
  socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
  socket.write(Buffer.alloc(1_000_000));
  assert.match(await received, /^HTTP\/1\.1 413 .*big$/s);
  await listener.close(0);
});

test("an aborted answer of HTTP/1.0, which its close would complete, is reset", async () => {
  const listener = await listen({}, (exchange) => {
    exchange.head(200, []);
    exchange.write(new TextEncoder().encode("half"));
    return { ...unheard, bodyEnd: () => exchange.abort() };
  });
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.resume();
  socket.write("GET / HTTP/1.0\r\n\r\n");
  const error: unknown = await once(socket, "error").then(([first]: unknown[]) => first);
  assert.match(String(error), /ECONNRESET/);
  await listener.close(0);
});

test("pipelined requests are answered in order, and a client that goes is gone for each", async () => {
  const exchanges: Exchange[] = [];
  const gone: string[] = [];
  const allGone = Promise.withResolvers<void>();
  const bothHere = Promise.withResolvers<void>();
  const listener = await listen({}, (exchange) => {
    exchanges.push(exchange);
    return {
      ...unheard,
      bodyEnd: () => (exchanges.length === 3 ? bothHere.resolve() : null),
      gone: () => (gone.push(exchange.target) === 2 ? allGone.resolve() : null),
    };
  });
  const { socket, received } = open(listener);
  socket.write(["/a", "/b", "/c"].map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
  await bothHere.promise;
  const [first] = exchanges;
  first?.head(200, ["content-length", "0"]);
  first?.end();
  await once(socket, "data");
  socket.destroy();
  await allGone.promise;
  assert.match(await received, /^HTTP\/1\.1 200 /);
  assert.deepEqual(gone, ["/b", "/c"]);
  await listener.close(0);
});

test("who expects 100-continue behind another request gets two whole answers, and alone is told to go on", async () => {
  const answer = (exchange: Exchange): void => {
    exchange.head(200, ["content-type", "text/plain", "content-length", "4"]);
    exchange.write(Buffer.from("tide"));
    exchange.end();
  };
  const listener = await listen(QUICK, (exchange) => {
    if (exchange.method === "GET") answer(exchange);
    return {
      ...unheard,
      body: () => undefined,
      bodyEnd: () => (exchange.method === "POST" ? answer(exchange) : undefined),
      gone: () => undefined,
    };
  });
  const post = "POST /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello";
  const shapeOf = async (bytes: string): Promise<readonly string[]> => {
    const { socket, received } = open(listener);
    socket.write(bytes);
    return (await received).match(/HTTP\/1\.1 \d+|(?<=\r\n\r\n)tide/g) ?? [];
  };
  assert.deepEqual(await shapeOf(`GET /a HTTP/1.1\r\nHost: a\r\n\r\n${post}`), ["HTTP/1.1 200", "tide", "HTTP/1.1 200", "tide"]);
  assert.deepEqual(await shapeOf(post), ["HTTP/1.1 100", "HTTP/1.1 200", "tide"]);
  await listener.close(0);
});

test("an address that is not this machine's is refused with the reason", async () => {
  const listening = await createNodeHttpFront().listen({ host: "192.0.2.1", port: 0 }, unreached);
  assert.ok(!listening.ok && listening.error.code === "ADDRESS_REFUSED");
  assert.match(listening.error.reason, /EADDRNOTAVAIL/);
});
