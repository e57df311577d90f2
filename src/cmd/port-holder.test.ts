import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { holderOfPort, listeningInodes } from "./port-holder.ts";

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11111 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 22222 1 0000000000000000 100 0 0 10 0
   2: 0100007F:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33333 1 0000000000000000 100 0 0 10 0
`;

test("only sockets that listen on the port count, not its connections", () => {
  assert.deepEqual(listeningInodes(TABLE, 8_081), ["11111"]);
  assert.deepEqual(listeningInodes(TABLE, 0x51), ["33333"]);
  assert.deepEqual(listeningInodes(TABLE, 9_999), []);
});

test("the holder of a port is named by pid and command, and nobody once it is closed", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const holder = holderOfPort(port);
  assert.equal(holder?.pid, process.pid);
  assert.ok(holder?.command.includes("node"), holder?.command);
  server.close();
  await once(server, "close");
  assert.equal(holderOfPort(port), null);
});
