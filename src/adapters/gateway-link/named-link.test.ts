import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayId } from "../../base/ids.ts";
import { createInProcessLink } from "./in-process.ts";
import { createNamedLink } from "./named-link.ts";

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

test("a gateway that changes its name leaves, joins anew, and is told everything again", async () => {
  const wire = createInProcessLink();
  const seen: string[] = [];
  await wire.hub.listen({
    joined: (gateway, { pid }) => {
      seen.push(`${gateway} joined, pid ${pid}`);
      wire.hub.send(gateway, { type: "synced" });
    },
    message: (from, { type }) => seen.push(`${from} says ${type}`),
    left: (gateway) => seen.push(`${gateway} left`),
  });
  const link = createNamedLink(() => wire.addLink(), gatewayId("gateway-0.next-7"));
  const heard: string[] = [];
  link.open(
    { type: "hello", gateway: gatewayId("gateway-0"), pid: 7, address: "http://a" },
    {
      connected: () => heard.push("connected"),
      message: ({ type }) => heard.push(type),
      disconnected: () => heard.push("disconnected"),
    },
  );
  await link.told;
  assert.equal(link.isConnected, true);
  link.rename(gatewayId("gateway-0"));
  assert.deepEqual([link.isConnected, link.send({ type: "counts", services: [] })], [false, false]);
  await settle();
  assert.deepEqual([link.isConnected, link.send({ type: "counts", services: [] })], [true, true]);
  await settle();
  assert.deepEqual(seen, ["gateway-0.next-7 joined, pid 7", "gateway-0.next-7 left", "gateway-0 joined, pid 7", "gateway-0 says counts"]);
  assert.deepEqual(heard, ["connected", "synced", "disconnected", "connected", "synced"]);
  link.close();
  await settle();
  assert.equal(seen.at(-1), "gateway-0 left");
});
