import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { Exchange, ExchangeEvents, Handler } from "../../ports/http-front.ts";
import { createNodeHttpFront, type NodeListener } from "./node-http.ts";

const ignore = (): undefined => undefined;
const NOTHING: ExchangeEvents = { body: ignore, bodyEnd: ignore, drained: ignore, gone: ignore };
const AT = { host: "127.0.0.1", port: 0 };
const GET = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

function answer(exchange: Exchange, text: string): void {
  exchange.head(200, ["content-length", `${text.length}`]);
  exchange.write(Buffer.from(text));
  exchange.end();
}

const saying =
  (text: string): Handler =>
  (exchange) => {
    answer(exchange, text);
    return NOTHING;
  };

async function listening(at: Parameters<ReturnType<typeof createNodeHttpFront>["listen"]>[0], handler: Handler): Promise<NodeListener> {
  const listener = await createNodeHttpFront({ keepAliveTimeoutMs: 200 }).listen(at, handler);
  assert.ok(listener.ok);
  return listener.value;
}

async function open({ address }: NodeListener): Promise<Socket> {
  const socket = connect(address.port, "127.0.0.1");
  socket.setEncoding("latin1");
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket): Promise<string> {
  socket.write(GET);
  let text = "";
  while (!/\r\n\r\n.*!$/s.test(text)) {
    const pieces: unknown[] = await once(socket, "data");
    text += String(pieces[0]);
  }
  return text;
}

test("a listener that leaves answers once more on an idle connection, says that it closes, and is gone then", async () => {
  const listener = await listening(AT, saying("old!"));
  const socket = await open(listener);
  assert.match(await ask(socket), /connection: keep-alive.*old!$/is);
  const left = listener.leave();
  assert.match(await ask(socket), /connection: close.*old!$/is);
  await left;
  await assert.rejects(open(listener), /ECONNREFUSED/);
  await listener.close(0);
});

test("a listener that leaves lets a stream end, and closes its connection only after it was idle for the keep-alive time", async () => {
  const streaming = Promise.withResolvers<Exchange>();
  const listener = await listening(AT, (exchange) => {
    exchange.head(200, ["content-length", "8"]);
    exchange.write(Buffer.from("half"));
    streaming.resolve(exchange);
    return NOTHING;
  });
  const socket = await open(listener);
  socket.write(GET);
  const exchange = await streaming.promise;
  let isGone = false;
  const left = listener.leave().then(() => (isGone = true));
  exchange.write(Buffer.from("half"));
  exchange.end();
  const closed = once(socket, "close");
  let text = "";
  socket.on("data", (piece: string) => (text += piece));
  assert.equal(isGone, false);
  await Promise.all([closed, left]);
  assert.match(text, /halfhalf$/);
  await listener.close(0);
});

test("a server that came from elsewhere is served from as one of our own", async () => {
  const given = createServer(() => assert.fail("its own listener hears of nobody any more"));
  await once(given.listen(0, "127.0.0.1"), "listening");
  const bound = given.address();
  const listener = await listening(given, saying("new!"));
  assert.deepEqual(listener.address, { host: "127.0.0.1", port: typeof bound === "object" ? bound?.port : 0 });
  assert.match(await ask(await open(listener)), /new!$/);
  await listener.close(0);
});
