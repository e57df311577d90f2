import assert from "node:assert/strict";
import { test } from "node:test";
import type { DownMessage } from "../api/link-message.ts";
import { epoch } from "../base/ids.ts";
import type { RouteTable } from "../api/route-table.ts";
import { TERM_HEADER } from "../wire/term-header.ts";
import { startEngineRig } from "./engine-rig.ts";
import { GatewayRig, rigEndpoint, rigTable } from "./gateway-rig.ts";

const word = (term: number, ...messages: readonly DownMessage[]): readonly DownMessage[] => messages.map((one) => ({ ...one, term }));
const table = (revision: number, port: number): RouteTable => rigTable([rigEndpoint(port)], { epoch: epoch(9), revision });

test("a gateway drops a table of an older leader, even one of a higher revision, and its whole rounds", async () => {
  const rig = new GatewayRig();
  await rig.start();
  rig.tell(...word(2, { type: "welcome", stateId: "state-1" }, { type: "table", table: table(1, 1) }, { type: "synced" }));
  // An empty round would take every table away.
  rig.tell(...word(1, { type: "table", table: table(7, 2) }, { type: "welcome", stateId: "state-1" }, { type: "synced" }));
  rig.tell({ type: "table-removed", uid: table(1, 1).uid });
  await rig.clock.advance(100);
  assert.deepEqual(
    rig.saved?.tables.map(({ revision }) => revision),
    [1],
  );
  assert.equal(rig.log.filter(({ event }) => event === "gateway.word-of-old-leader").length, 4);
  rig.tell(...word(3, { type: "table", table: table(2, 3) }));
  await rig.clock.advance(100);
  assert.deepEqual(
    rig.saved?.tables.map(({ revision }) => revision),
    [2],
  );
});

test("a gateway that is given to another state begins with that one's terms", async () => {
  const rig = new GatewayRig();
  await rig.start();
  rig.tell(...word(5, { type: "welcome", stateId: "state-1" }, { type: "synced" }));
  rig.tell(...word(1, { type: "welcome", stateId: "state-2" }, { type: "table", table: table(1, 1) }, { type: "synced" }));
  await rig.clock.advance(100);
  assert.deepEqual([rig.saved?.stateId, rig.saved?.tables.length], ["state-2", 1]);
});

test("an engine that has heard of a newer leader refuses sleep and wake of an older one, and obeys a gateway, which has no term", async () => {
  const rig = await startEngineRig();
  const order = async (target: string, term: number | null): Promise<number | null> => {
    const exchange = rig.send("POST", target, undefined, term === null ? [] : [TERM_HEADER, `${term}`]);
    await rig.clock.advance(2_000);
    return exchange.status;
  };
  const isAsleep = (): boolean => rig.send("GET", "/is_sleeping").text === '{"is_sleeping":true}';
  assert.equal(await order("/sleep?level=1", 1), 200);
  assert.equal(await order("/wake_up", 1), 200);
  rig.send("GET", "/health", undefined, [TERM_HEADER, "2"]);
  assert.deepEqual([await order("/sleep?level=1", 1), isAsleep()], [409, false]);
  assert.deepEqual([await order("/sleep?level=1", 2), isAsleep()], [200, true]);
  assert.deepEqual([await order("/wake_up", 1), isAsleep()], [409, true]);
  // What an old leader still asks to see an answer right would end a sleeping engine.
  assert.deepEqual([await order("/v1/chat/completions", 1), rig.crashes], [409, []]);
  assert.deepEqual([await order("/wake_up", null), isAsleep()], [200, false]);
});
