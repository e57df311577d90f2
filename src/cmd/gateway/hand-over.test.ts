import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createSystemClock } from "../../adapters/clock/system.ts";
import { createMemoryEventLog } from "../../adapters/event-log/memory.ts";
import { createHandedMemory } from "../../adapters/gateway-memory/handed-memory.ts";
import { createNodeHttpFront, type NodeListener } from "../../adapters/http-front/node-http.ts";
import { identify } from "../../adapters/process/process-identity.ts";
import { readRunRecord, writeRunRecord } from "../../adapters/process/run-record.ts";
import { createSystemRandom } from "../../adapters/random/system.ts";
import { gatewayId } from "../../base/ids.ts";
import type { GatewaySnapshot } from "../../ports/gateway-memory.ts";
import { handOver, type ListenerRole } from "./hand-over.ts";

const snapshot: GatewaySnapshot = { stateId: "s", tables: [], keys: [] };

/** A gateway on record, whose successor is a program of one line. */
async function createGateway(t: TestContext, program: string) {
  const dataDir = mkdtempSync(join(tmpdir(), "tidegate-hand-over-"));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const recordPath = join(dataDir, "run", "gateway-0.json");
  const startTicks = identify(process.pid)?.startTicks ?? assert.fail("we live");
  const record = { nonce: "first", pid: process.pid, startTicks, logOffset: 0, about: { name: "gateway-0" } };
  await writeRunRecord(recordPath, record);
  const listening = await createNodeHttpFront().listen({ host: "127.0.0.1", port: 0 }, () => assert.fail("nobody asks"));
  assert.ok(listening.ok);
  t.after(() => listening.value.close(0));
  const written: GatewaySnapshot[] = [];
  const save = async (given: GatewaySnapshot): Promise<boolean> => written.push(given) > 0;
  const memory = createHandedMemory({ load: async () => null, save }, true);
  const did: string[] = [];
  const ignore = (): undefined => undefined;
  const parts = {
    id: gatewayId("gateway-0"),
    dataDir,
    command: [process.execPath, "-e", program, "--"],
    listeners: new Map<ListenerRole, NodeListener>([["tenants", listening.value]]),
    link: {
      told: Promise.resolve(),
      isConnected: true,
      rename: (to: string) => void did.push(`is ${to}`),
      open: ignore,
      send: () => true,
      close: ignore,
    },
    memory,
    clock: createSystemClock(),
    random: createSystemRandom(),
    log: createMemoryEventLog(),
    closeDesk: () => void did.push("desk closed"),
    openDesk: async () => void did.push("desk open"),
  };
  return { parts, did, written, memory, record, recordPath, port: listening.value.address.port };
}

const LEFT = ["desk closed", `is gateway-0.left-${process.pid}`];

test("a successor that dies before it is ready costs nothing: nothing was given away", async (t) => {
  const { parts, did, recordPath, record } = await createGateway(t, "process.exit(3)");
  const outcome = await handOver(parts);
  assert.equal(outcome.ok ? "" : outcome.error.why, "It ended with exit code 3.");
  assert.deepEqual([did, await readRunRecord(recordPath)], [[], record]);
});

test("a successor that dies with the socket in its hand gives all back: name, desk, file, record; the socket still accepts", async (t) => {
  const dies = `process.on("message", ({ type }) => type === "begin" ? process.send({ type: "prepared" }) : process.exit(4))`;
  const { parts, did, written, memory, record, recordPath, port } = await createGateway(t, dies);
  const handing = handOver(parts);
  const outcome = await handing;
  assert.equal(outcome.ok ? "" : outcome.error.why, "It ended with exit code 4.");
  assert.deepEqual(did, [...LEFT, "is gateway-0", "desk open"]);
  assert.deepEqual(await readRunRecord(recordPath), record);
  assert.deepEqual([await memory.save(snapshot), written], [true, [snapshot]]);
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
});

test("a successor that accepts is on record with the process before it, and the file is its own", async (t) => {
  const serves = `process.on("message", ({ type }) => {
    if (type === "begin") process.send({ type: "prepared" });
    if (type === "listener") process.send({ type: "listening" });
    if (type === "yours") setInterval(() => {}, 1000);
  })`;
  const { parts, did, written, memory, record, recordPath } = await createGateway(t, serves);
  const outcome = await handOver(parts);
  assert.ok(outcome.ok);
  const pid = outcome.value;
  t.after(() => process.kill(pid, "SIGKILL"));
  assert.deepEqual(did, LEFT);
  const recorded = await readRunRecord(recordPath);
  const { nonce, startTicks } = record;
  assert.deepEqual([recorded?.pid, recorded?.about], [pid, { ...record.about, former: [{ pid: process.pid, startTicks, nonce }] }]);
  assert.deepEqual([await memory.save(snapshot), written], [true, []]);
});
