import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  generation,
  instanceName,
  monotonicMs,
  nodeName,
  partitionName,
  uid,
  wallMs,
  type Generation,
  type InstanceName,
} from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { formatWall } from "../base/time.ts";
import { ALERT_RULES } from "../api/alert-rules.ts";
import { parseHotStandbyConfig } from "../api/parse-hot-standby-config.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { HISTORY_MAX } from "./add-history.ts";
import { decideService, type SeenInstance, type ServiceDecision, type ServiceWorld } from "./decide-service.ts";
import { cold1, steadyLadder } from "./fake-ladder.ts";
import { QUARANTINE_MS } from "./keep-quarantined.ts";
import { NEW_MEMO } from "./restart-memo.ts";

const SPEC: JsonObject = {
  tenant: "tenant-gold",
  tier: "platinum",
  hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
  warmStandby: { gpuCount: 1, memoryReserved: "40GB" },
};
const WALL = wallMs(1_800_000_000_000);

function configOf(change: JsonObject = {}): HotStandbyConfig {
  const config = parseHotStandbyConfig({ name: "gold", spec: { ...SPEC, ...change } });
  assert.ok(config.ok);
  return config.value;
}

const placed = (gpu: number): SeenInstance => ({
  placement: { kind: "bound", members: [{ node: nodeName("gpu-a"), gpu, partition: partitionName(`p-${gpu}`) }], leaving: null },
  running: null,
  task: null,
  exit: null,
  report: null,
  activation: null,
  violation: null,
  memo: NEW_MEMO,
});
const NAMES = ["gold-hot-1", "gold-hot-2", "gold-warm-1"].map(instanceName);

const world = (more: Partial<ServiceWorld> = {}): ServiceWorld => ({
  config: configOf(),
  specGeneration: 1,
  status: null,
  seen: new Map(NAMES.map((name, gpu) => [name, placed(gpu)])),
  table: { uid: uid("service"), maxBatch: 64, zones: new Map() },
  isAcknowledged: true,
  lostGpus: new Set(),
  slowGpus: new Set(),
  nowMs: monotonicMs(0),
  wallMs: WALL,
  freshToken: "t1",
  episodes: [],
  requests: [],
  records: new Map(),
  capacitySamples: [],
  inFlight: 0,
  alerts: [],
  vetting: null,
  storm: null,
  ...more,
});

/** What is seen when everything that was decided has happened. */
function seenAfter({ next, memos }: ServiceDecision): Map<InstanceName, SeenInstance> {
  return new Map(
    next.instances.map((instance, index) => {
      const running = {
        uid: instance.uid,
        generation: instance.generation,
        endpoint: `http://127.0.0.1:${40_000 + index}`,
        pid: index + 1,
      };
      const isStarting = instance.state === "Starting";
      const task = isStarting ? ({ kind: "started", generation: instance.generation, answer: "right" } as const) : null;
      return [instance.name, { ...placed(index), running, task, memo: memos.get(instance.name) ?? NEW_MEMO }];
    }),
  );
}

/** Both hot and the warm instance Ready; what is seen then. */
function steady(more: Partial<ServiceWorld> = {}): ServiceWorld {
  const started = decideService(world(more));
  const ready = decideService(world({ ...more, status: started.next, seen: seenAfter(started) }));
  return world({ ...more, status: ready.next, seen: seenAfter(ready) });
}
function without(from: ServiceWorld, ...names: readonly InstanceName[]): ServiceWorld {
  const seen = new Map([...from.seen].map(([name, instance]) => [name, names.includes(name) ? { ...instance, running: null } : instance]));
  return { ...from, seen };
}
const hotOne = instanceName("gold-hot-1");
const hotTwo = instanceName("gold-hot-2");
const condition = (status: ServiceStatus, type: string) => status.conditions.find((entry) => entry.type === type);

test("a steady service decides nothing and changes nothing", () => {
  const seen = steady();
  const decided = decideService(seen);
  assert.deepEqual(decided.next, seen.status);
  assert.deepEqual(
    decided.actions.map((action) => action.type),
    [],
  );
});

test("a service decides the same from the same world", () => {
  const seen = without(steady(), hotOne);
  assert.deepEqual(decideService(seen), decideService(seen));
});

test("the loss of one hot instance costs redundancy, neither level nor epoch", () => {
  const seen = steady();
  const { next } = decideService(without(seen, hotOne));
  assert.deepEqual([next.level, next.epoch, next.phase], ["hot", 1, "Restoring"]);
  assert.equal(next.revision, (seen.status?.revision ?? 0) + 1);
  assert.equal(condition(next, "RedundancyLost")?.message, "1 of 2 hot instances take requests.");
});

test("alerts that fire are a condition, the critical one first, and move nothing", () => {
  const seen = steady();
  const [critical] = ALERT_RULES;
  const held = ALERT_RULES.find((rule) => rule.name === "TidegateHeld");
  assert.ok(critical?.severity === "critical" && held !== undefined);
  const { next, actions } = decideService({ ...seen, alerts: [critical, held] });
  assert.deepEqual({ ...next, conditions: [] }, { ...seen.status, conditions: [] });
  assert.deepEqual(
    actions.map((action) => action.type),
    [],
  );
  const { status, reason, message } = condition(next, "Alerting") ?? assert.fail("no condition");
  assert.deepEqual([status, reason], ["True", "TidegateErrorRatioHigh"]);
  assert.match(message, /^More than 5 % of the requests of gold fail\. \(TidegateErrorRatioHigh, critical\) gold is held: /);
  const over = decideService({ ...seen, status: next, alerts: [] }).next;
  assert.deepEqual([condition(over, "Alerting")?.status, condition(over, "Alerting")?.reason], ["False", "NoAlert"]);
});

test("the loss of both hot instances moves the service to warm in a new epoch", () => {
  const { next } = decideService(without(steady(), hotOne, hotTwo));
  assert.deepEqual([next.level, next.epoch, next.phase], ["warm", 2, "Shifting"]);
  assert.equal(condition(next, "Ready")?.status, "True");
});

test("the loss of every instance is a cold start in place, and degraded where nothing can start", () => {
  const lost = without(steady(), ...NAMES);
  const restarting = decideService(lost).next;
  assert.deepEqual([restarting.level, restarting.epoch, restarting.phase], ["cold", 2, "ColdStarting"]);
  assert.equal(condition(restarting, "Ready")?.reason, "NothingReady");
  const { next } = decideService({ ...lost, lostGpus: new Set(["gpu-a/0", "gpu-a/1", "gpu-a/2"]) });
  assert.deepEqual([next.level, next.epoch, next.phase], ["degraded", 2, "Degraded"]);
});

test("a condition keeps its transition time as long as its status", () => {
  const seen = steady();
  const lost = decideService({ ...without(seen, hotOne), wallMs: wallMs(WALL + 5_000) });
  assert.equal(condition(lost.next, "Ready")?.lastTransitionTime, formatWall(WALL));
  assert.equal(condition(lost.next, "RedundancyLost")?.lastTransitionTime, formatWall(wallMs(WALL + 5_000)));
});

const promises = [
  { name: "a warm instance backs a promise", change: {}, expected: ["False", "WarmHeld"] },
  { name: "a second hot instance backs a promise", change: { warmStandby: { gpuCount: 0 } }, expected: ["False", "HotSpare"] },
  {
    name: "a cold reserve backs a promise",
    change: { tier: "silver", hotStandby: { gpuCount: 1 }, warmStandby: { gpuCount: 0 }, coldStandby: { memoryReserved: "40GB" } },
    expected: ["False", "ColdReserved"],
  },
  {
    name: "one hot instance without any reserve is a promise unbacked",
    change: { tier: "silver", hotStandby: { gpuCount: 1 }, warmStandby: { gpuCount: 0 } },
    expected: ["True", "NothingReserved"],
  },
];
for (const c of promises) {
  test(c.name, () => {
    const { next } = decideService(world({ config: configOf(c.change) }));
    const found = condition(next, "PromiseUnbacked");
    assert.deepEqual([found?.status, found?.reason], c.expected);
  });
}

const impossible = { what: "gold: cold loads too much.", why: "It does.", next: "Change that." };
const vettings: readonly {
  readonly name: string;
  readonly vetting: ServiceWorld["vetting"];
  readonly says: readonly [string, string, string];
}[] = [
  {
    name: "a promise that was not worked out is not called good",
    vetting: null,
    says: ["Unknown", "NotVetted", "It is not worked out yet."],
  },
  {
    name: "a promise of which no node is known is not called good",
    vetting: { impossible: null, risks: [], worstMs: null },
    says: ["Unknown", "NotVetted", "No node that it may use is known."],
  },
  {
    name: "a promise that can be kept is at no risk",
    vetting: { impossible: null, risks: [], worstMs: 2_329 },
    says: ["False", "CanBeKept", "Back within 2.3 s after any one loss, by arithmetic; rtoTarget is 5 s."],
  },
  {
    name: "a promise that losses make late is at risk, with the arithmetic",
    vetting: { impossible: null, risks: ["gold: too late.", "gold: no room."], worstMs: 9_000 },
    says: ["True", "TooSlow", "gold: too late. gold: no room."],
  },
  {
    name: "a promise that was let in by force is at risk, with the arithmetic",
    vetting: { impossible, risks: [impossible.what], worstMs: 9_000 },
    says: ["True", "Impossible", "gold: cold loads too much."],
  },
];
for (const { name, vetting, says } of vettings) {
  test(name, () => {
    const found = condition(decideService(world({ vetting })).next, "PromiseAtRisk");
    assert.deepEqual([found?.status, found?.reason, found?.message], says);
  });
}

test("what was worked out before stands until it is worked out again", () => {
  const { next } = decideService(world({ vetting: { impossible: null, risks: ["gold: too late."], worstMs: 9_000 } }));
  assert.deepEqual(
    condition(decideService(world({ status: next, vetting: null })).next, "PromiseAtRisk"),
    condition(next, "PromiseAtRisk"),
  );
});

test("an inferred tier is said in a condition", () => {
  const { tier: _tier, ...untiered } = SPEC;
  const config = parseHotStandbyConfig({ name: "gold", spec: untiered });
  assert.ok(config.ok);
  assert.equal(condition(decideService(world({ config: config.value })).next, "TierInferred")?.status, "True");
});

test("a changed spec is news to gateways even where nothing else changes", () => {
  const seen = steady();
  const { next } = decideService({ ...seen, specGeneration: 2 });
  assert.deepEqual([next.revision, next.observedGeneration], [(seen.status?.revision ?? 0) + 1, 2]);
});

test("the first of two different first answers is recorded and the other instance fenced", () => {
  const started = decideService(world());
  const seen = seenAfter(started);
  const second = seen.get(hotTwo);
  assert.ok(second !== undefined);
  seen.set(hotTwo, { ...second, task: { kind: "started", generation: generation(1), answer: "garbage" } });
  const { next } = decideService(world({ status: started.next, seen }));
  assert.deepEqual([next.knownAnswer, ...next.instances.map((instance) => instance.state)], ["right", "Ready", "Fenced", "Ready"]);
});

test("a quarantine for failed starts ends after a minute or with another spec, one for a lost or a slow GPU when it is well again", () => {
  const seen = steady();
  assert.ok(seen.status !== null);
  const entry = (gpu: number, reason: string) => ({ node: nodeName("gpu-b"), gpu, reason, since: formatWall(WALL) });
  const status = { ...seen.status, quarantined: [entry(0, "FailedStarts"), entry(1, "GpuLost"), entry(2, "SlowTeardown")] };
  const slowGpus = new Set(["gpu-b/2"]);
  const left = (more: Partial<ServiceWorld>): readonly number[] =>
    decideService({ ...seen, status, ...more }).next.quarantined.map((e) => e.gpu);
  assert.deepEqual(left({ lostGpus: new Set(["gpu-b/1"]), slowGpus }), [0, 1, 2]);
  assert.deepEqual(left({ lostGpus: null, slowGpus: null, wallMs: wallMs(WALL + QUARANTINE_MS) }), [1, 2]);
  assert.deepEqual(left({ lostGpus: new Set(), slowGpus }), [0, 2]);
  assert.deepEqual(left({ lostGpus: null, slowGpus: new Set(), specGeneration: 2 }), [1]);
  assert.equal(decideService({ ...seen, status, slowGpus }).lookAgainAfterMs, 500);
});

test("an engine in the place of a reserve that shall not run is ended: it came back with its GPU after the status had let go of it", () => {
  const ladder = steadyLadder();
  ladder.engines.set(cold1, { uid: uid("u9"), generation: generation(1), isAsleep: false });
  assert.deepEqual(
    ladder.look().actions.filter(({ type }) => type === "fence"),
    [{ type: "fence", instance: cold1 }],
  );
  assert.equal(ladder.engines.has(cold1), false);
});

test("an engine that neither config nor status knows is ended", () => {
  const seen = steady();
  const stray = instanceName("gold-hot-9");
  const running = { uid: uid("u9"), generation: generation(1), endpoint: "http://127.0.0.1:40009", pid: 9 };
  const decided = decideService({ ...seen, seen: new Map([...seen.seen, [stray, { ...placed(7), running }]]) });
  assert.deepEqual(decided.actions, [{ type: "fence", instance: stray }]);
  assert.deepEqual(
    decided.next.instances.map((instance) => instance.name),
    NAMES,
  );
});

test("a history holds the last fifty decisions", () => {
  let seen = steady();
  for (let death = 0; death < 40; death += 1) {
    const dead = decideService({ ...without(seen, hotOne), nowMs: monotonicMs(death * 100_000) });
    const up = decideService({ ...seen, status: dead.next, seen: seenAfter(dead), nowMs: monotonicMs(death * 100_000 + 1) });
    seen = { ...seen, status: up.next, seen: seenAfter(up) };
  }
  assert.equal(seen.status?.history.length, HISTORY_MAX);
  assert.match(seen.status?.history.at(-1)?.what ?? "", /gold-hot-1 is Ready as generation 41/);
});

/** Any world of a steady service: who runs, which tasks ended how, what is reported. */
const anySeen = fc.record({
  isRunning: fc.boolean(),
  generation: fc.integer({ min: 0, max: 2 }).map(generation),
  task: fc.constantFrom("none", "started", "start-failed", "dead", "alive", "stopping", "stopped"),
  isReported: fc.boolean(),
  isPlaced: fc.boolean(),
});

test("in any world an instance is started only where nothing of it runs, and generations never go back", () => {
  fc.assert(
    fc.property(fc.array(anySeen, { minLength: 3, maxLength: 3 }), fc.boolean(), (facts, isLost) => {
      const from = steady();
      const seen = new Map(
        NAMES.map((name, index) => {
          const fact = facts[index];
          const base = from.seen.get(name);
          assert.ok(fact !== undefined && base !== undefined && base.running !== null);
          const task = taskOf(fact.task, fact.generation);
          const running = fact.isRunning ? { ...base.running, generation: fact.generation } : null;
          const report = fact.isReported ? { generation: fact.generation, cause: "silent" as const } : null;
          return [
            name,
            { ...base, running, task, report, placement: fact.isPlaced ? base.placement : ({ kind: "waiting" } as const) },
          ] as const;
        }),
      );
      const decided = decideService({ ...from, seen, lostGpus: new Set(isLost ? ["gpu-a/0"] : []) });
      for (const action of decided.actions) {
        if (action.type === "start") assert.equal(seen.get(action.instance)?.running ?? null, null);
      }
      for (const after of decided.next.instances) {
        const before = from.status?.instances.find((instance) => instance.name === after.name);
        assert.ok(after.generation >= (before?.generation ?? 0));
        const running = seen.get(after.name)?.running;
        if (after.state === "Ready") assert.equal(running?.generation, after.generation);
      }
      assert.ok(decided.next.revision >= (from.status?.revision ?? 0));
      assert.ok(decided.next.epoch >= (from.status?.epoch ?? 0));
    }),
  );
});

function taskOf(kind: string, of: Generation): SeenInstance["task"] {
  switch (kind) {
    case "started":
      return { kind, generation: of, answer: "right" };
    case "start-failed":
      return { kind, generation: of, reason: "late" };
    case "dead":
    case "alive":
      return { kind: "checked", generation: of, purpose: "judgement", verdict: kind, detail: "seen", atMs: monotonicMs(0) };
    case "stopping":
    case "stopped":
      return { kind };
    default:
      return null;
  }
}
