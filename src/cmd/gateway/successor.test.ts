import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";

const urlOf = (path: string): string => new URL(path, import.meta.url).href;

/** A process that takes two sockets over, and answers on each with its role. */
const SUCCESSOR = `
  import { createNodeHttpFront } from "${urlOf("../../adapters/http-front/node-http.ts")}";
  import { findPredecessor } from "${urlOf("./successor.ts")}";
  const front = createNodeHttpFront();
  const nothing = { body() {}, bodyEnd() {}, drained() {}, gone() {} };
  const saying = (text) => (exchange) => {
    exchange.head(200, ["content-length", String(text.length)]);
    exchange.write(Buffer.from(text));
    exchange.end();
    return nothing;
  };
  const predecessor = await findPredecessor();
  await predecessor.listeners(["tenants", "metrics"], (role, server) => front.listen(server, saying(role)));
  await predecessor.listening();
  console.log("owns");
`;

async function startSuccessor(t: TestContext) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", SUCCESSOR], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  t.after(() => child.kill("SIGKILL"));
  child.send({ type: "begin", isLinked: false });
  assert.deepEqual((await once(child, "message"))[0], { type: "prepared" });
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const give = (role: string): Promise<void> =>
    new Promise((resolve) => void child.send({ type: "listener", role }, server, () => resolve()));
  return { child, server, port, give };
}

const ask = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, agent: false }, (response) => {
      let text = "";
      response.on("data", (part: Buffer) => (text += part.toString()));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });

test("a successor answers on a socket as soon as it has it, while it still waits for others", async (t) => {
  const { child, server, port, give } = await startSuccessor(t);
  // We accept nothing: whoever connects before the successor does waits in the queue.
  await give("tenants");
  server.close();
  assert.equal(await ask(port), "tenants");
  child.disconnect();
  const exit: unknown[] = await once(child, "exit");
  assert.equal(exit[0], 1, "it has not all that it needs, and nobody will give it");
});

test("a successor whose predecessor is gone after it has all sockets owns the place", async (t) => {
  const { child, server, port, give } = await startSuccessor(t);
  await give("tenants");
  await give("metrics");
  assert.deepEqual((await once(child, "message"))[0], { type: "listening" });
  server.close();
  child.disconnect();
  assert.match(String((await once(child.stdout ?? assert.fail("it has a pipe"), "data"))[0]), /^owns/);
  assert.match(await ask(port), /^(?:tenants|metrics)$/);
});
