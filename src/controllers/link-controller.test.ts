import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createInProcessLink } from "../adapters/gateway-link/in-process.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { epoch, gatewayId, generation, instanceName, keyHash, keyId, serviceName, tenantId, uid } from "../base/ids.ts";
import type { AttachedStatus } from "../api/attached-status.ts";
import { NONE_RETURNED, type Episode } from "../api/link-message.ts";
import type { RouteTable } from "../api/route-table.ts";
import { buildAttachedTable } from "./attached-tables.ts";
import { ZERO } from "../failover/fake-alert-series.ts";
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
  evidence: null,
  message: "",
};
const member = { name: instanceName("one"), uid: uid("u"), address: { host: "127.0.0.1", port: 8_001 }, status: STATUS };
const table = (of: string, revision: number, service: string = of): RouteTable =>
  buildAttachedTable(serviceName(service), [member], { uid: uid(of), revision });

async function createWorld(known: readonly number[] = []) {
  const living = new Set(known);
  const gatewayProcesses = { running: () => [...living], watch: (pid: number) => () => living.has(pid) };
  const clock = createSimulatedClock();
  const log = createMemoryEventLog();
  const gateway = new FakeGateway();
  gateway.isSilent = true;
  const acknowledged: string[] = [];
  const ejected: string[] = [];
  const activated: string[] = [];
  const episodes: string[] = [];
  const link = createLinkController(
    { hub: gateway.hub, clock, log, stateId: "state-1", gatewayProcesses },
    {
      acknowledged: (service) => acknowledged.push(service),
      ejected: (report) => ejected.push(report.cause),
      activated: (report) => activated.push(`${report.instance} ${report.outcome}`),
      episode: (service) => episodes.push(service),
    },
  );
  await link.open();
  const ack = (of: string, revision: number, at: number = 0): void =>
    gateway.say({ type: "ack", uid: uid(of), epoch: epoch(at), revision });
  return { living, clock, log, gateway, link, acknowledged, ejected, activated, episodes, ack };
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

const EPISODE: Episode = {
  type: "episode",
  service: serviceName("s"),
  uid: uid("u"),
  epoch: epoch(1),
  number: 1,
  instance: instanceName("s-hot-1"),
  cause: "reset",
  from: "hot",
  to: null,
  faultAgeMs: 40,
  detectedAgeMs: 30,
  targetReadyAgeMs: null,
  firstGoodTokenAgeMs: null,
  endedAgeMs: null,
  affected: 3,
  lost: 0,
  rtoMs: null,
  isOver: false,
};

test("a loss is told once however often a gateway repeats it, and keeps the times that were heard first", async () => {
  const { clock, gateway, link, episodes } = await createWorld();
  gateway.join();
  await clock.advance(1_000);
  gateway.say(EPISODE);
  const first = link.episodesOf(serviceName("s"));
  await clock.advance(500);
  gateway.say({ ...EPISODE, faultAgeMs: 543, detectedAgeMs: 533 });
  assert.deepEqual(link.episodesOf(serviceName("s")), first);
  gateway.say({ ...EPISODE, faultAgeMs: 545, detectedAgeMs: 535, to: "warm", firstGoodTokenAgeMs: 5, rtoMs: 530, isOver: true });
  const last = link.episodesOf(serviceName("s"))[0];
  assert.deepEqual([episodes, last?.faultAtMs === first[0]?.faultAtMs, last?.isOver, last?.rtoMs], [["s", "s"], true, true, 530]);
});

test("losses of the last minutes are kept, the newest thirty-two of a service", async () => {
  const { clock, gateway, link } = await createWorld();
  gateway.join();
  for (let number = 1; number <= 40; number += 1) gateway.say({ ...EPISODE, number });
  assert.deepEqual([link.episodesOf(serviceName("s")).length, link.episodesOf(serviceName("s"))[0]?.number], [32, 9]);
  await clock.advance(400_000);
  assert.deepEqual(link.episodesOf(serviceName("s")), []);
});

test("a loss that went on for long is kept for some minutes after its end", async () => {
  const { clock, gateway, link } = await createWorld();
  gateway.join();
  await clock.advance(2_000_000);
  gateway.say({ ...EPISODE, faultAgeMs: 1_800_000, endedAgeMs: 0, isOver: true });
  await clock.advance(300_000);
  // A gateway repeats its last loss to a control plane that begins anew: that makes it no longer.
  gateway.say({ ...EPISODE, faultAgeMs: 2_100_000, endedAgeMs: 300_000, isOver: true });
  const [kept] = link.episodesOf(serviceName("s"));
  assert.equal((kept?.endedAtMs ?? 0) - (kept?.faultAtMs ?? 0), 1_800_000);
  await clock.advance(61_000);
  assert.deepEqual(link.episodesOf(serviceName("s")), []);
});

test("a gateway's wake is passed on with its outcome", async () => {
  const { gateway, activated } = await createWorld();
  gateway.join();
  const woken = { service: serviceName("s"), instance: instanceName("s-warm-1"), uid: uid("u"), generation: generation(1) };
  gateway.say({ type: "rung-activated", ...woken, because: "lost", outcome: "awake", reason: "", ageMs: 1 });
  assert.deepEqual(activated, ["s-warm-1 awake"]);
});

test("each second of traffic is one sample, made of what gateways count since the second before", async () => {
  const { clock, gateway, link } = await createWorld();
  gateway.join();
  const counts = { service: serviceName("s"), inFlight: 2, promptTokens: 0, outputTokens: 0, alertCounters: null };
  for (const [requests, failed, firstTokenP99Ms] of [
    [100, 0, 20],
    [110, 0, 30],
    [125, 5, null],
    [5, 1, 40],
  ] as const) {
    const returned = { requests: requests / 5, failed, firstTokenP99Ms };
    gateway.say({ type: "counts", services: [{ ...counts, requests, failed, firstTokenP99Ms, returned }] });
    await clock.advance(1_000);
  }
  assert.deepEqual(
    link
      .capacitySamplesOf(serviceName("s"))
      .map(({ firstTokenP99Ms, goodRequests, failedRequests, returned }) => [
        firstTokenP99Ms,
        goodRequests,
        failedRequests,
        [returned.requests, returned.failed],
      ]),
    [
      [30, 10, 0, [2, 0]],
      [null, 10, 5, [3, 5]],
      [40, 0, 0, [0, 0]],
    ],
  );
  assert.deepEqual([link.countsOf(serviceName("s")).firstTokenP99Ms, link.countsOf(serviceName("s")).inFlight], [40, 2]);
});

test("failures that a gateway counts make the alert of a service that has a table fire, those of others are no one's", async () => {
  const { clock, gateway, link } = await createWorld();
  link.publish(table("a", 1, "s"));
  gateway.join();
  for (let second = 0; second < 70; second += 1) {
    const alertCounters = { ...ZERO, outcomes: { ...ZERO.outcomes, ok: second, refused: second } };
    const counts = {
      requests: 0,
      failed: 0,
      inFlight: 0,
      promptTokens: 0,
      outputTokens: 0,
      firstTokenP99Ms: null,
      returned: NONE_RETURNED,
      alertCounters,
    };
    gateway.say({ type: "counts", services: ["s", "gone"].map((service) => ({ ...counts, service: serviceName(service) })) });
    await clock.advance(1_000);
  }
  const told = link.alertStates().flatMap(({ service, alert, state }) => (state === "inactive" ? [] : [`${service} ${alert} ${state}`]));
  assert.deepEqual(told, ["s TidegateErrorRatioHigh firing"]);
  assert.deepEqual(
    link.firingAlertsOf(serviceName("s"), { isHeld: true, isRedundancyLost: false }).map(({ name }) => name),
    ["TidegateErrorRatioHigh", "TidegateHeld"],
  );
  link.withdraw(uid("a"));
  // A last look at what is gone keeps nothing of it.
  assert.deepEqual(link.firingAlertsOf(serviceName("s"), { isHeld: true, isRedundancyLost: false }), []);
  assert.deepEqual(
    link.alertStates().map(({ service, alert }) => [service, alert]),
    [[null, "TidegateGatewayAbsent"]],
  );
});

test("absent gateways are told of by looks at services alone, without anyone who reads the metrics page", async () => {
  const { clock, link, log } = await createWorld();
  for (let second = 0; second <= 60; second += 1) {
    assert.deepEqual(link.firingAlertsOf(serviceName("s"), null), []);
    await clock.advance(1_000);
  }
  assert.deepEqual(
    log.events.filter(({ event }) => event === "alert.firing").map(({ fields }) => fields["alert"]),
    ["TidegateGatewayAbsent"],
  );
});

test("the alert of absent gateways is pending as soon as none is joined, and fires a minute later", async () => {
  const { clock, gateway, link } = await createWorld();
  gateway.join();
  const states: string[] = [];
  const look = (): void => void states.push(...link.alertStates().map(({ state }) => state));
  look();
  gateway.leave();
  look();
  await clock.advance(60_000);
  look();
  gateway.join();
  look();
  assert.deepEqual(states, ["inactive", "pending", "firing", "resolved"]);
});

test("a gateway whose link is cut while its process lives holds acknowledgements up until it is gone", async () => {
  const { living, gateway, link, ack } = await createWorld();
  link.publish(table("a", 1));
  gateway.join();
  ack("a", 1);
  assert.equal(link.isAcknowledged(uid("a")), true);
  living.add(gateway.pid);
  gateway.leave();
  assert.equal(link.isAcknowledged(uid("a")), false);
  living.delete(gateway.pid);
  assert.equal(link.isAcknowledged(uid("a")), true);
});

test("a gateway that ran before this control plane holds acknowledgements up until it has come back and acknowledged", async () => {
  const { gateway, link, ack } = await createWorld([new FakeGateway().pid]);
  link.publish(table("a", 1));
  assert.equal(link.isAcknowledged(uid("a")), false);
  gateway.join();
  assert.equal(link.isAcknowledged(uid("a")), false);
  ack("a", 1);
  assert.equal(link.isAcknowledged(uid("a")), true);
});

test("a gateway that takes the place of one that died, with its link cut, holds acknowledgements up although it never joined", async () => {
  const { living, gateway, link, ack } = await createWorld();
  link.publish(table("a", 1));
  gateway.join();
  ack("a", 1);
  gateway.leave();
  assert.equal(link.isAcknowledged(uid("a")), true, "nobody is there who could send");
  living.add(gateway.pid + 1);
  assert.equal(link.isAcknowledged(uid("a")), false, "it serves by what its file says");
  living.delete(gateway.pid + 1);
  assert.equal(link.isAcknowledged(uid("a")), true);
});

test("a process that gave its place away is asked on its own: nothing counts as acknowledged before it, or its end, says so", async () => {
  const wire = createInProcessLink();
  const living = new Set([1, 2]);
  const gatewayProcesses = { running: () => [...living], watch: (pid: number) => () => living.has(pid) };
  const clock = createSimulatedClock();
  const ignore = (): undefined => undefined;
  const events = { acknowledged: ignore, ejected: ignore, activated: ignore, episode: ignore };
  const link = createLinkController({ hub: wire.hub, clock, log: createMemoryEventLog(), stateId: "state-1", gatewayProcesses }, events);
  await link.open();
  link.publish(table("a", 1));
  const join = (gateway: string, pid: number): { ack(revision: number): Promise<void>; leave(): Promise<void> } => {
    const end = wire.addLink();
    end.open(
      { type: "hello", gateway: gatewayId(gateway), pid, address: "" },
      { connected: ignore, message: ignore, disconnected: ignore },
    );
    return {
      async ack(revision) {
        await clock.advance(0);
        end.send({ type: "ack", uid: uid("a"), epoch: epoch(0), revision });
        await clock.advance(0);
      },
      async leave() {
        end.close();
        await clock.advance(0);
      },
    };
  };
  const before = join("gateway-0", 1);
  await before.ack(1);
  assert.equal(link.isAcknowledged(uid("a")), false, "the successor runs");
  const next = join("gateway-0.next-2", 2);
  await next.ack(1);
  assert.equal(link.isAcknowledged(uid("a")), true);
  await before.leave();
  assert.equal(link.isAcknowledged(uid("a")), false, "it is between two names, and serves");
  const left = join("gateway-0.left-1", 1);
  await left.ack(1);
  assert.equal(link.isAcknowledged(uid("a")), true);
  await next.leave();
  await join("gateway-0", 2).ack(1);
  assert.equal(link.isAcknowledged(uid("a")), true);
  link.publish(table("a", 2));
  await left.ack(2);
  assert.equal(link.isAcknowledged(uid("a")), false, "an engine may not be taken from under the streams of either");
});
