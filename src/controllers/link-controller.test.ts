import { test } from "node:test";
import assert from "node:assert/strict";
import { epoch, generation, instanceName, keyHash, keyId, serviceName, tenantId, uid } from "../base/ids.ts";
import type { AttachedStatus } from "../api/attached-status.ts";
import type { RouteTable } from "../api/route-table.ts";
import { buildAttachedTable } from "./attached-tables.ts";
import { FakeGateway } from "./fake-control-world.ts";
import { createLinkController } from "./link-controller.ts";

const STATUS: AttachedStatus = {
  state: "Ready",
  generation: generation(1),
  service: serviceName("s"),
  models: ["m"],
  model: "m",
  engine: "vllm",
  contextLength: null,
  hasProgress: true,
  message: "",
};
const member = { name: instanceName("one"), uid: uid("u"), address: { host: "127.0.0.1", port: 8_001 }, status: STATUS };
const table = (of: string, revision: number, service: string = of): RouteTable =>
  buildAttachedTable(serviceName(service), [member], { uid: uid(of), revision });

async function createWorld() {
  const gateway = new FakeGateway();
  gateway.isSilent = true;
  const acknowledged: string[] = [];
  const ejected: string[] = [];
  const link = createLinkController(
    { hub: gateway.hub, log: { record: () => undefined }, stateId: "state-1" },
    { acknowledged: (service) => acknowledged.push(service), ejected: (report) => ejected.push(report.cause) },
  );
  await link.open();
  const ack = (of: string, revision: number, at: number = 0): void =>
    gateway.say({ type: "ack", uid: uid(of), epoch: epoch(at), revision });
  return { gateway, link, acknowledged, ejected, ack };
}
const types = (gateway: FakeGateway): readonly string[] => gateway.told.map((message) => message.type);

test("a gateway that joins is welcomed, told every table and all keys, then that this was all", async () => {
  const { gateway, link } = await createWorld();
  link.publish(table("a", 1));
  link.publish(table("b", 1));
  link.replaceKeys([{ hash: keyHash("h"), id: keyId("k"), tenant: tenantId("t") }]);
  assert.deepEqual(types(gateway), []);
  gateway.join();
  assert.deepEqual(types(gateway), ["welcome", "table", "table", "keys", "synced"]);
});

test("a version is sent once, and a table of the same service under another uid is withdrawn after it", async () => {
  const { gateway, link } = await createWorld();
  gateway.join();
  link.publish(table("a", 1, "s"));
  link.publish(table("a", 1, "s"));
  link.publish(table("b", 1, "s"));
  assert.deepEqual(types(gateway).slice(3), ["table", "table", "table-removed"]);
  assert.equal(link.tableOf(uid("a")), null);
});

test("a table is acknowledged when every joined gateway has this version or a newer one", async () => {
  const { gateway, link, ack, acknowledged } = await createWorld();
  link.publish(table("a", 2, "s"));
  assert.equal(link.isAcknowledged(uid("a")), true);
  gateway.join();
  assert.equal(link.isAcknowledged(uid("a")), false);
  ack("a", 1);
  assert.equal(link.isAcknowledged(uid("a")), false);
  ack("a", 2);
  assert.deepEqual([link.isAcknowledged(uid("a")), acknowledged], [true, ["s"]]);
  link.publish(table("a", 3, "s"));
  assert.equal(link.isAcknowledged(uid("a")), false);
  ack("a", 0, 1);
  assert.equal(link.isAcknowledged(uid("a")), true);
});

test("a gateway that joins again has acknowledged nothing", async () => {
  const { gateway, link, ack } = await createWorld();
  gateway.join();
  link.publish(table("a", 1));
  ack("a", 1);
  gateway.leave();
  assert.equal(link.isAcknowledged(uid("a")), true);
  gateway.join();
  assert.equal(link.isAcknowledged(uid("a")), false);
});

test("an acknowledgement of a table that nobody published is nothing", async () => {
  const { gateway, ack, acknowledged, link } = await createWorld();
  gateway.join();
  ack("x", 1);
  assert.deepEqual([acknowledged, link.isAcknowledged(uid("x"))], [[], true]);
});

test("reports of a gateway that has left are dropped", async () => {
  const { gateway, ejected } = await createWorld();
  gateway.report("one", 1, "silent");
  gateway.join();
  gateway.report("one", 1, "reset");
  gateway.leave();
  gateway.report("one", 1, "cut");
  assert.deepEqual(ejected, ["reset"]);
});
