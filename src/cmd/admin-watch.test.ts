import assert from "node:assert/strict";
import { test } from "node:test";
import { WATCHES_MAX } from "../admin/watch.ts";
import { createAdminRig, openExchange, serviceManifest, SERVICES, type OpenExchange } from "./admin-rig.ts";

type Rig = ReturnType<typeof createAdminRig>;
const put = (rig: Rig, name: string, more = {}) =>
  rig.call(`PUT ${SERVICES}/${name}`, { body: JSON.stringify(serviceManifest(name, more)) });
const watch = async (rig: Rig, query = ""): Promise<OpenExchange> => {
  const opened = openExchange(rig.admin, `GET ${SERVICES}?watch=true${query}`);
  await rig.clock.advance(1);
  return opened;
};
const seen = (opened: OpenExchange): readonly string[] =>
  opened.events().map((event) => ("resource" in event ? `${event.type} ${event.resource.name}` : event.type));
async function setPhase(rig: Rig, phase: string): Promise<void> {
  const found = await rig.store.get("HotStandbyConfig", "a");
  assert.ok(found.ok);
  await rig.store.writeStatus({ kind: "HotStandbyConfig", name: "a" }, { phase }, found.value.version);
  await rig.clock.advance(1);
}

test("a watch begins with what is there, says when that is whole, then follows", async () => {
  const rig = createAdminRig();
  await put(rig, "b");
  await put(rig, "a");
  const opened = await watch(rig);
  assert.deepEqual(seen(opened), ["ADDED a", "ADDED b", "WHOLE"]);
  await setPhase(rig, "Normal");
  await rig.call(`DELETE ${SERVICES}/b`);
  await rig.clock.advance(1);
  assert.deepEqual(seen(opened).slice(3), ["MODIFIED a", "DELETED b"]);
});

test("a watched object that was made anew between two looks is DELETED and ADDED, never MODIFIED", async () => {
  const rig = createAdminRig();
  await put(rig, "a");
  const opened = await watch(rig);
  opened.fill();
  await setPhase(rig, "Normal");
  await rig.store.remove("HotStandbyConfig", "a");
  await put(rig, "a");
  opened.drain();
  await rig.clock.advance(1);
  assert.deepEqual(seen(opened).slice(2), ["MODIFIED a", "DELETED a", "ADDED a"]);
});

test("a watch of one name does not hear of others, nor of other kinds", async () => {
  const rig = createAdminRig();
  const opened = await watch(rig, "&fieldSelector=metadata.name=a");
  await put(rig, "b");
  await rig.call("POST /apis/inference.example.com/v1/apikeys", { body: '{"tenant":"a"}' });
  await put(rig, "a");
  await rig.clock.advance(1);
  assert.deepEqual(seen(opened), ["WHOLE", "ADDED a"]);
});

test("a reader that is behind gets the newest state once, and nothing waits for it in memory", async () => {
  const rig = createAdminRig();
  await put(rig, "a");
  const opened = await watch(rig);
  opened.fill();
  for (let round = 0; round < 50; round += 1) await setPhase(rig, `${round}`);
  // The first change filled it; the other 49 wait as one name.
  assert.equal(opened.events().length, 3);
  opened.drain();
  await rig.clock.advance(1);
  const last = opened.events().at(-1);
  assert.equal(opened.events().length, 4);
  assert.ok(last !== undefined && "resource" in last && last.resource.status?.["phase"] === "49");
});

test("a quiet watch is heard from every 15 seconds", async () => {
  const rig = createAdminRig();
  const opened = await watch(rig);
  await rig.clock.advance(45_000);
  assert.deepEqual(seen(opened), ["WHOLE", "ALIVE", "ALIVE", "ALIVE"]);
});

test("watches are bounded, and one that ends makes room", async () => {
  const rig = createAdminRig();
  const opened: OpenExchange[] = [];
  while (opened.length < WATCHES_MAX) opened.push(await watch(rig));
  const refused = await rig.call(`GET ${SERVICES}?watch=true`);
  assert.deepEqual([refused.status, refused.json["reason"]], [429, "TooManyRequests"]);
  opened[0]?.leave();
  assert.deepEqual(seen(await watch(rig)), ["WHOLE"]);
});

test("a reader that left costs nothing more: no timer, no read", async () => {
  const rig = createAdminRig();
  await put(rig, "a");
  const opened = await watch(rig);
  opened.leave();
  let readCount = 0;
  const get = rig.store.get.bind(rig.store);
  rig.store.get = (kind, name) => {
    readCount += 1;
    return get(kind, name);
  };
  await rig.store.remove("HotStandbyConfig", "a");
  await rig.clock.advance(60_000);
  assert.deepEqual([readCount, seen(opened)], [0, ["ADDED a", "WHOLE"]]);
});

test("stopping the admin ends every watch", async () => {
  const rig = createAdminRig();
  const opened = await watch(rig);
  rig.admin.stop();
  await opened.ended;
  assert.equal(opened.status(), 200);
});

test("a watch whose store goes away ends, so that its reader starts again from the whole", async () => {
  const rig = createAdminRig();
  await put(rig, "a");
  const opened = await watch(rig);
  rig.store.get = async () => ({ ok: false, error: { code: "UNAVAILABLE", applied: "no", reason: "gone" } });
  await put(rig, "b");
  await opened.ended;
  assert.deepEqual(seen(opened), ["ADDED a", "WHOLE"]);
});

test("a watch with a selector that is not understood is refused, not ignored", async () => {
  const rig = createAdminRig();
  assert.equal((await rig.call(`GET ${SERVICES}?watch=true&labelSelector=a=b`)).status, 400);
  assert.equal((await rig.call(`GET ${SERVICES}?watch=true&fieldSelector=spec.tier=gold`)).status, 400);
});
