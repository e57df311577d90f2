import assert from "node:assert/strict";
import test from "node:test";
import { generation, uid } from "../base/ids.ts";
import { SLOW_START_MS } from "../routing/slow-start.ts";
import { GatewayRig, rigEndpoint, rigTable } from "./gateway-rig.ts";

const WHOLE = "t0 t1 t2 t3 t4 ";

test("gateway: with most engines answering 500 never more than half are out, and those that are well serve", async () => {
  const ports = [1, 2, 3, 4, 5];
  const rig = new GatewayRig();
  await rig.start(rigTable(ports.map((port) => rigEndpoint(port))));
  for (const port of [1, 2, 3, 4]) rig.engine(port).status = 500;
  let out = 0;
  let outMax = 0;
  let lateOk = 0;
  for (let round = 0; round < 200; round += 1) {
    const client = rig.chat();
    await rig.clock.advance(25);
    for (const { event } of rig.log.splice(0)) {
      if (event === "gateway.ejected") out += 1;
      if (event === "gateway.returned") out -= 1;
      outMax = Math.max(outMax, out);
    }
    await rig.clock.advance(175);
    if (round >= 150 && client.wholeStream === WHOLE) lateOk += 1;
  }
  assert.equal(outMax, 2);
  assert.match(rig.gateway.metricsText(), /tidegate_ejections_withheld_total\{[^}]*cause="5xx"\} [1-9]/);
  assert.match(rig.gateway.metricsText(), /tidegate_ejection_seconds\{[^}]*\} [1-9]/);
  assert.ok(lateOk >= 35, `${lateOk} of the last 50 requests were answered by the one engine that is well`);
});

test("gateway: a restarted engine's share rises to exactly its weight", async () => {
  const rig = new GatewayRig();
  const hot = [rigEndpoint(1, { weight: 80 }), rigEndpoint(2, { weight: 20 })] as const;
  await rig.start(rigTable(hot));
  rig.engine(2).kill();
  rig.tell({ type: "table", table: rigTable([hot[0], { ...hot[1], isReady: false }], { revision: 2 }) });
  await rig.clock.advance(500);
  rig.tell({
    type: "table",
    table: rigTable([hot[0], rigEndpoint(3, { uid: uid("uid-2"), generation: generation(2), weight: 20 })], { revision: 3 }),
  });
  const shares: number[] = [];
  for (let second = 0; second < SLOW_START_MS / 1_000 + 4; second += 1) {
    const before = rig.engine(3).work.length;
    for (let count = 0; count < 50; count += 1) {
      rig.chat();
      await rig.clock.advance(20);
    }
    shares.push(rig.engine(3).work.length - before);
  }
  assert.ok((shares[0] ?? 50) <= 2, `it began with ${shares[0]} of 50`);
  assert.ok((shares[5] ?? 0) >= 4 && (shares[5] ?? 0) <= 8, `in the middle it took ${shares[5]} of 50`);
  assert.deepEqual(shares.slice(-4), [10, 10, 10, 10]);
});

test("gateway: a restarted engine that is the only one serves all that waits, at once", async () => {
  const rig = new GatewayRig();
  await rig.start(rigTable([rigEndpoint(1)]));
  rig.engine(1).kill();
  const clients = Array.from({ length: 20 }, () => rig.chat());
  await rig.clock.advance(300);
  const toldAt = rig.clock.monotonicMs();
  rig.tell({ type: "table", table: rigTable([rigEndpoint(2, { uid: uid("uid-1"), generation: generation(2) })], { revision: 2 }) });
  await rig.clock.advance(400);
  for (const client of clients) {
    assert.equal(client.wholeStream, WHOLE);
    assert.ok((client.firstByteAt ?? Infinity) - toldAt <= 60);
  }
});
