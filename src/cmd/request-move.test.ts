import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_CLOCK, type FailoverRecordStatus } from "../api/failover-record.ts";
import { failoverRecordStatusJson } from "../api/parse-failover-record.ts";
import type { JsonObject } from "../base/json.ts";
import { serviceManifest, SERVICES } from "./admin-rig.ts";
import { listenAdmin, startCli, type RunningCli } from "./cli-rig.ts";
import { textAt } from "./json-at.ts";
import { parseJsonObject } from "./parse-admin-answer.ts";

type Platform = Awaited<ReturnType<typeof listenAdmin>>;

async function platformWithGold(): Promise<Platform> {
  const platform = await listenAdmin();
  const manifest = JSON.stringify(serviceManifest("gold", { warmStandby: {} }));
  const put = await platform.call(`PUT ${SERVICES}/gold`, { body: manifest, headers: ["host", `127.0.0.1:${platform.port()}`] });
  assert.equal(put.status, 201);
  return platform;
}
const start = (platform: Platform, ...args: readonly string[]): RunningCli => startCli([...args, "--data-dir", platform.dataDir]);

/** What the service's loop would write. */
async function answer(platform: Platform, name: string, change: Partial<FailoverRecordStatus>): Promise<void> {
  const found = await platform.store.get("FailoverRecord", name);
  assert.ok(found.ok);
  const status: FailoverRecordStatus = {
    phase: "Completed",
    epoch: null,
    clock: NO_CLOCK,
    rtoMs: null,
    capacityRtoMs: null,
    mttrrMs: null,
    affected: { requests: 0, lost: 0 },
    reason: "",
    ...change,
  };
  assert.ok((await platform.store.writeStatus({ kind: "FailoverRecord", name }, failoverRecordStatusJson(status), found.value.version)).ok);
}
async function setStatus(platform: Platform, status: JsonObject): Promise<void> {
  const found = await platform.store.get("HotStandbyConfig", "gold");
  assert.ok(found.ok);
  assert.ok((await platform.store.writeStatus({ kind: "HotStandbyConfig", name: "gold" }, status, found.value.version)).ok);
}
const requested = async (run: RunningCli): Promise<string> => {
  await run.shows(/requested as request-\S+\./);
  return /requested as (request-\S+)\.\n/.exec(`${run.out()}${run.err()}`)?.[1] ?? "";
};

test("failover asks, shows each change of the service on the way, and ends with 0 when it is completed", async () => {
  await using platform = await platformWithGold();
  const warm = (state: string): JsonObject => ({ name: "gold-warm-1", state });
  await setStatus(platform, { phase: "Normal", level: "hot", epoch: 3, instances: [warm("Asleep")] });
  const run = start(platform, "failover", "gold", "--to", "warm", "--wait", "1h");
  const name = await requested(run);
  await run.shows(/gold: Normal, belongs to hot, epoch 3/);
  await setStatus(platform, { phase: "Waking", level: "hot", epoch: 3, instances: [warm("Waking")] });
  await run.shows(/gold-warm-1: Asleep -> Waking/);
  await setStatus(platform, { phase: "Normal", level: "warm", epoch: 4, instances: [warm("Ready")] });
  await run.shows(/gold: Normal, belongs to warm, epoch 4/);
  await answer(platform, name, { phase: "Running" });
  await run.shows(/: Running/);
  await answer(platform, name, { phase: "Completed", rtoMs: 212.4, affected: { requests: 7, lost: 0 } });
  assert.equal(await run.exited, 0);
  assert.match(run.out(), /failover of gold is completed: 0 requests lost, largest wait of an affected request 212 ms\.\n$/);
});

const endings = [
  {
    name: "a refused failback says why, and to wait for the hot instances",
    args: ["failback", "gold"],
    phase: "Refused",
    says: /^The failback of gold is refused; nothing was moved\.\n {2}why: {2}gold-hot-1 is Starting\.\n {2}next: Wait until every hot/,
  },
  {
    name: "a failed failover says why, and where to look",
    args: ["failover", "gold"],
    phase: "Failed",
    says: /^The failover of gold failed\.\n {2}why: {2}gold-hot-1 is Starting\.\n {2}next: .*tidegate describe gold/,
  },
] as const;
for (const { name, args, phase, says } of endings) {
  test(`${name}, and ends with 1`, async () => {
    await using platform = await platformWithGold();
    const run = start(platform, ...args);
    await answer(platform, await requested(run), { phase, reason: "gold-hot-1 is Starting." });
    assert.equal(await run.exited, 1);
    assert.match(run.err(), says);
  });
}

test("resume for programs prints the ended record alone on standard output", async () => {
  await using platform = await platformWithGold();
  const run = start(platform, "resume", "gold", "-o", "json");
  await answer(platform, await requested(run), { phase: "Completed" });
  assert.equal(await run.exited, 0);
  const json = parseJsonObject(run.out());
  assert.deepEqual(
    [json["kind"], textAt(json, "spec", "action"), textAt(json, "status", "phase")],
    ["FailoverRecord", "resume", "Completed"],
  );
});

test("a move that is not waited for is requested and left alone", async () => {
  await using platform = await platformWithGold();
  const run = start(platform, "failover", "gold", "--no-wait");
  assert.equal(await run.exited, 0);
  assert.match(run.out(), /^failover of gold is requested as request-failover-[0-9a-f]{10}\.\n$/);
});

test("a wait that is over before the end says that the request goes on, and ends with 1", async () => {
  await using platform = await platformWithGold();
  const run = start(platform, "failover", "gold", "--wait", "300ms");
  assert.equal(await run.exited, 1);
  assert.match(run.err(), /^The failover of gold has not ended within 300ms\.\n {2}why: {2}request-\S+ is still Requested\. It goes on/);
});

test("a request that somebody takes away ends the wait", async () => {
  await using platform = await platformWithGold();
  const run = start(platform, "failover", "gold");
  const name = await requested(run);
  await run.shows(/: Requested/);
  assert.ok((await platform.store.remove("FailoverRecord", name)).ok);
  assert.equal(await run.exited, 1);
  assert.match(run.err(), /was taken away before it had ended/);
});

test("a move of an unknown service, and a second one at once, are refused with what the control plane says", async () => {
  await using platform = await platformWithGold();
  const unknown = start(platform, "failover", "nobody");
  assert.equal(await unknown.exited, 1);
  assert.match(unknown.err(), /^hotstandbyconfigs "nobody" not found\n/);
  assert.equal(await start(platform, "failover", "gold", "--no-wait").exited, 0);
  const second = start(platform, "failback", "gold");
  assert.equal(await second.exited, 1);
  assert.match(second.err(), /^gold has an open request already: request-failover-/);
});

test("get failoverrecords -w shows a request and each phase of it, and ends with 0", async () => {
  await using platform = await platformWithGold();
  const watch = start(platform, "get", "failoverrecords", "-w");
  await watch.shows(/^RECORD /m);
  const name = await requested(start(platform, "failover", "gold", "--to", "warm", "--no-wait"));
  await watch.shows(new RegExp(`${name} +gold .* operator +Requested `));
  await answer(platform, name, { phase: "Completed", rtoMs: 212 });
  await watch.shows(new RegExp(`${name} +gold .* operator +Completed +212 ms `));
  watch.child.kill("SIGINT");
  assert.equal(await watch.exited, 0);
});
