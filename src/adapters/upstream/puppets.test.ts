import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import assert from "node:assert/strict";
import type { EndpointAddress } from "../../api/route-table.ts";
import { get, pairsNamed, startCall } from "../../ports/http-front-contract.ts";
import type { CallFailure } from "../../ports/upstream.ts";
import { createUndiciUpstream } from "./undici.ts";
import { connectFailure, ConnectTimeout } from "./undici-failure.ts";

interface Puppet {
  readonly address: EndpointAddress;
  readonly sockets: readonly Socket[];
  close(): Promise<void>;
}

/** A server that does with each connection's first bytes what it is told. */
async function puppet(act: (socket: Socket, index: number) => void): Promise<Puppet> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    socket.on("error", (error: NodeJS.ErrnoException) => assert.match(error.code ?? "", /ECONNRESET|EPIPE/));
    socket.once("readable", () => act(socket, index));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  return {
    address: { host: "127.0.0.1", port: bound.port },
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const say = (socket: Socket, text: string): Promise<void> =>
  new Promise((resolve) => {
    socket.resume();
    socket.write(text, () => resolve());
  });

interface Ending {
  readonly name: string;
  readonly says: string;
  readonly does: "end" | "reset" | "nothing";
  readonly seen: readonly string[];
  readonly failure: CallFailure["code"] | null;
}
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const endings: readonly Ending[] = [
  { name: "a FIN before the head", says: "", does: "end", seen: ["failed"], failure: "CUT" },
  { name: "a reset before the head", says: "", does: "reset", seen: ["failed"], failure: "RESET" },
  { name: "a FIN inside the head", says: "HTTP/1.1 200 OK\r\nX-A", does: "end", seen: ["failed"], failure: "CUT" },
  { name: "a FIN between chunks", says: `${CHUNKED}4\r\nhalf\r\n`, does: "end", seen: ["head", "data", "failed"], failure: "CUT" },
  { name: "a FIN inside a chunk", says: `${CHUNKED}9\r\nhalf`, does: "end", seen: ["head", "data", "failed"], failure: "CUT" },
  { name: "a reset between chunks", says: `${CHUNKED}4\r\nhalf\r\n`, does: "reset", seen: ["head", "data", "failed"], failure: "RESET" },
  {
    name: "a FIN between chunks of a connection that closes",
    says: "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    does: "end",
    seen: ["head", "data", "failed"],
    failure: "CUT",
  },
  {
    name: "a FIN before the length is full",
    says: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    does: "end",
    seen: ["head", "data", "failed"],
    failure: "CUT",
  },
  { name: "a FIN that frames the answer", says: "HTTP/1.1 200 OK\r\n\r\nall", does: "end", seen: ["head", "data", "end"], failure: null },
  {
    name: "a reset where a FIN would frame the answer",
    says: "HTTP/1.1 200 OK\r\n\r\nhalf",
    does: "reset",
    seen: ["head", "data", "failed"],
    failure: "RESET",
  },
  {
    name: "an early hint before the answer",
    says: "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    does: "nothing",
    seen: ["head", "end"],
    failure: null,
  },
  { name: "another protocol", says: "SSH-2.0-OpenSSH_9.2\r\n", does: "nothing", seen: ["failed"], failure: "MALFORMED" },
  {
    name: "a head without end",
    says: `HTTP/1.1 200 OK\r\nX-A: ${"b".repeat(70_000)}`,
    does: "nothing",
    seen: ["failed"],
    failure: "MALFORMED",
  },
  { name: "a chunk size that is none", says: `${CHUNKED}zz\r\n`, does: "nothing", seen: ["head", "failed"], failure: "MALFORMED" },
];
for (const { name, says, does, seen, failure } of endings) {
  test(`a call that meets ${name} sees ${seen.join(", ")}`, async () => {
    const server = await puppet((socket) => {
      if (does === "end") void say(socket, says).then(() => socket.end());
      else if (does === "nothing") void say(socket, says);
      else if (says === "") socket.resetAndDestroy();
      // The client acknowledges the data before it is told to forget the connection.
      else
        void say(socket, says)
          .then(() => call.headed)
          .then(() => socket.resetAndDestroy());
    });
    const call = startCall(createUndiciUpstream(), server.address, get("/"));
    await call.over;
    assert.deepEqual(call.names(), seen);
    assert.deepEqual(call.failure(), failure === null ? null : { code: failure, sent: "all" });
    await server.close();
  });
}

test("a body that the engine stops taking was sent in part when the connection breaks", async () => {
  const server = await puppet((socket) => {
    socket.read();
    socket.pause();
    socket.resetAndDestroy();
  });
  const call = startCall(createUndiciUpstream(), server.address, {
    method: "POST",
    target: "/",
    headers: [],
    body: new Uint8Array(64_000_000),
  });
  await call.over;
  assert.deepEqual(call.failure(), { code: "RESET", sent: "some" });
  await server.close();
});

test("a call whose header HTTP cannot carry fails as our own mistake, nothing sent", async () => {
  const server = await puppet(() => assert.fail("nothing is sent"));
  const call = startCall(createUndiciUpstream(), server.address, { method: "GET", target: "/", headers: ["x", "a\r\nb"], body: null });
  await call.over;
  assert.deepEqual(call.failure(), { code: "MALFORMED", sent: "none" });
  assert.equal(call.wasInsideCall, false);
  await server.close();
});

test("a connection is used again, and one that closed while idle is not", async () => {
  const server = await puppet((socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nX-Raw: a\r\nx-raw: b\r\nContent-Length: 0\r\n\r\n"));
  });
  const upstream = createUndiciUpstream();
  const callOnce = async (): Promise<void> => {
    const call = startCall(upstream, server.address, get("/"));
    await call.over;
    assert.deepEqual(call.names(), ["head", "end"]);
    assert.deepEqual(pairsNamed(call.headers(), "x-raw"), ["X-Raw", "a", "x-raw", "b"]);
  };
  await callOnce();
  await callOnce();
  assert.equal(server.sockets.length, 1);
  const [idle] = server.sockets;
  assert.ok(idle !== undefined);
  idle.destroy();
  await once(idle, "close");
  await callOnce();
  assert.equal(server.sockets.length, 2);
  await server.close();
});

test("calls above the connection limit wait in order, and may be aborted while they wait", async () => {
  const server = await puppet((socket) => {
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  });
  const upstream = createUndiciUpstream({ connectionsMax: 2 });
  const order: number[] = [];
  const calls = Array.from({ length: 6 }, (_, index) => {
    const call = startCall(upstream, server.address, get(`/${index}`));
    void call.over.then(() => order.push(index));
    return call;
  });
  calls[3]?.call.abort();
  await Promise.all(calls.filter((_, index) => index !== 3).map((call) => call.over));
  assert.deepEqual(order, [0, 1, 2, 4, 5]);
  assert.deepEqual(calls[3]?.names(), []);
  assert.equal(server.sockets.length, 2);
  await server.close();
});

test("a killed engine fails its calls at once", async () => {
  const script = `require("node:http").createServer((q, s) => { s.write("x"); }).listen(0, "127.0.0.1", function () { console.log(this.address().port); })`;
  const engine = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const port = await once(engine.stdout, "data").then(([line]: unknown[]) => Number(String(line)));
  const upstream = createUndiciUpstream();
  const calls = Array.from({ length: 10 }, () => startCall(upstream, { host: "127.0.0.1", port }, get("/")));
  await Promise.all(calls.map((call) => call.headed));
  const killedAtMs = performance.now();
  engine.kill("SIGKILL");
  await Promise.all(calls.map((call) => call.over));
  const tookMs = performance.now() - killedAtMs;
  // Some milliseconds on a quiet machine; 88 were seen on a busy one.
  assert.ok(tookMs < 400, `it took ${tookMs} ms`);
  for (const call of calls) assert.match(call.failure()?.code ?? "", /^(CUT|RESET)$/);
});

test("only an answer to a connect is a refusal", () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code });
  for (const code of ["ECONNREFUSED", "ECONNRESET"]) assert.equal(connectFailure(coded(code)), "REFUSED");
  for (const code of ["EHOSTUNREACH", "ENOTFOUND", "EMFILE", "ETIMEDOUT"]) assert.equal(connectFailure(coded(code)), "CONNECT_TIMEOUT");
  assert.equal(connectFailure(new ConnectTimeout("late")), "CONNECT_TIMEOUT");
});
