import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { generation, type InstanceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { cold1, FakeLadder, hot1, hot2, ladderConfig, warm1 } from "./fake-ladder.ts";
import { decideService } from "./decide-service.ts";

// Any order of faults, reports, operators and ends of the control plane, against what holds always.

type Event =
  | { readonly type: "kill" | "wake-reported" | "bad-wake"; readonly name: InstanceName }
  | { readonly type: "lose" | "heal"; readonly gpu: number }
  | { readonly type: "look" | "wait" | "crash" | "unwritten" | "failover" | "failback" | "resume" | "busy" | "quiet" | "unacknowledged" };

const names = fc.constantFrom(hot1, hot2, warm1, cold1);
const events: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ type: fc.constantFrom("kill" as const, "wake-reported" as const, "bad-wake" as const), name: names }),
  fc.record({ type: fc.constantFrom("lose" as const, "heal" as const), gpu: fc.nat(3) }),
  fc.record({
    type: fc.constantFrom(
      ...(["look", "wait", "crash", "unwritten", "failover", "failback", "resume", "busy", "quiet", "unacknowledged"] as const),
    ),
  }),
);

const policies: readonly JsonObject[] = [
  {},
  { failoverPolicy: { maxFailoverCount: 1, window: "5m", failback: { soak: "5s" } } },
  { failoverPolicy: { maxFailoverCount: 0, failback: { soak: "5s" } } },
  { failoverPolicy: { autoFailover: false, failback: { soak: "5s" } } },
  { warmStandby: { gpuCount: 1, memoryReserved: "40GB", rest: "resident", lend: "never" } },
  { warmStandby: { gpuCount: 0 } },
  { coldStandby: { imageCache: true } },
];

function happen(ladder: FakeLadder, event: Event): void {
  switch (event.type) {
    case "kill":
      ladder.kill(event.name);
      return;
    case "wake-reported":
      if (ladder.engines.get(event.name)?.isAsleep === true && ladder.state(event.name) === "Asleep") ladder.activated(event.name, "awake");
      return;
    case "bad-wake":
      ladder.badWakes.set(event.name, "garbage");
      return;
    case "lose":
      ladder.loseGpus(event.gpu);
      return;
    case "heal":
      ladder.lostGpus.delete(`gpu-a/${event.gpu}`);
      return;
    case "look":
      return;
    case "wait":
      ladder.nowMs += 12_000;
      return;
    case "crash":
      ladder.crash();
      return;
    case "unwritten":
      ladder.lookOnly();
      ladder.crash();
      return;
    case "failover":
    case "failback":
    case "resume":
      ladder.ask(event.type, null, `${event.type}-${ladder.nowMs}`);
      return;
    case "busy":
      ladder.inFlight = 200;
      return;
    case "quiet":
      ladder.inFlight = 0;
      return;
    case "unacknowledged":
      ladder.isAcknowledged = !ladder.isAcknowledged;
  }
}

/** What must hold of every single look. */
function checkLook(ladder: FakeLadder): void {
  const world = ladder.world();
  const once = decideService(world);
  assert.deepEqual(decideService(world), once, "the same world, the same decision");
  const before = world.status;
  if (before === null) return;
  const step = once.next.epoch - before.epoch;
  assert.ok(step === 0 || step === 1, "one move a look");
  if (step === 0) assert.equal(once.next.level, before.level, "no move without an epoch");
  const isOperated = world.requests.length > 0 || before.pinned !== null;
  const isHeld = !world.config.failoverPolicy.isAutomatic || once.next.failovers.inWindow - step >= once.next.failovers.max;
  for (const action of once.actions) {
    const was = before.instances.find(({ name }) => name === action.instance);
    if (action.type === "wake" && isHeld && !isOperated) assert.notEqual(was?.state, "Asleep", "nothing is woken under Hold");
    if (action.type === "start" && isHeld && !isOperated && action.instance === cold1) {
      assert.ok(was !== undefined, "no reserve is started under Hold");
    }
    if (action.type === "sleep") assert.ok(world.isAcknowledged, "nobody sleeps before every gateway knows");
    const runs = world.seen.get(action.instance)?.running ?? null;
    if (action.type === "start" && runs !== null) assert.equal(runs.generation, action.generation, "one engine an instance");
  }
  for (const instance of once.next.instances) {
    if (instance.state !== "Ready") continue;
    const running = world.seen.get(instance.name)?.running ?? null;
    assert.equal(running?.generation, instance.generation, "what is Ready runs");
    const engine = ladder.engines.get(instance.name);
    assert.equal(engine?.isAsleep, false, "what is Ready is awake");
  }
  const counted = once.next.failovers.inWindow - before.failovers.inWindow;
  assert.ok(counted <= 1, "one move counts once");
}

const anyLife = fc.record({ policy: fc.nat(policies.length - 1), life: fc.array(events, { maxLength: 40 }) });

function live({ policy, life }: { readonly policy: number; readonly life: readonly Event[] }): FakeLadder {
  const ladder = new FakeLadder(ladderConfig(policies[policy])).settle();
  for (const event of life) {
    happen(ladder, event);
    checkLook(ladder);
    ladder.look();
  }
  return ladder;
}

test("in any life of a service no look breaks a rule of the ladder", () => {
  fc.assert(
    fc.property(anyLife, (drawn) => {
      const ladder = live(drawn);
      const names = ladder.status?.history.filter(({ what }) => what.startsWith("Moves ")) ?? [];
      assert.ok(names.length <= (ladder.status?.epoch ?? 0));
      for (const { name, service, status } of ladder.records.values()) {
        assert.ok(service === "gold" && (name.startsWith("gold-") || status === null || status.phase !== "Advised"));
      }
    }),
    { numRuns: 150 },
  );
});

test("from any state a service whose GPUs are well comes back to hot, whole and at rest, once an operator resumes it", () => {
  fc.assert(
    fc.property(anyLife, (drawn) => {
      const ladder = live(drawn);
      ladder.lostGpus.clear();
      ladder.badWakes.clear();
      ladder.inFlight = 0;
      ladder.isAcknowledged = true;
      for (let second = 0; second < 100; second += 1) ladder.look(1_000);
      ladder.ask("resume", null, "resume-last").look();
      for (let second = 0; second < 40; second += 1) ladder.look(1_000);
      const { isAutomatic, maxFailoverCount } = ladder.config.failoverPolicy;
      if (isAutomatic && maxFailoverCount > 0 && ladder.status?.pinned === null) {
        assert.equal(ladder.status.level, "hot");
      } else {
        ladder.ask("failback", null, "failback-last");
        for (let second = 0; second < 20; second += 1) ladder.look(1_000);
        assert.equal(ladder.status?.level, "hot");
      }
      const states = ladder.status?.instances.map(({ name, state }) => `${name} ${state}`) ?? [];
      const rest = ladder.config.warm?.rest === "resident" ? "Ready" : "Asleep";
      const warm = ladder.config.warm === null ? [] : [`${warm1} ${rest}`];
      assert.deepEqual(states, [`${hot1} Ready`, `${hot2} Ready`, ...warm]);
      assert.equal(ladder.engines.has(cold1), false);
      const open = [...ladder.records.values()].filter(({ status }) => status === null || status.phase === "Running");
      assert.deepEqual(open, []);
      assert.equal(ladder.status?.openMove, null);
    }),
    { numRuns: 100 },
  );
});

test("a generation never goes back, whatever happens", () => {
  fc.assert(
    fc.property(anyLife, ({ policy, life }) => {
      const ladder = new FakeLadder(ladderConfig(policies[policy])).settle();
      const highest = new Map<string, number>();
      for (const event of life) {
        happen(ladder, event);
        ladder.look();
        for (const { uid, generation: now } of ladder.status?.instances ?? []) {
          assert.ok(now >= (highest.get(uid) ?? generation(0)));
          highest.set(uid, now);
        }
      }
    }),
    { numRuns: 60 },
  );
});
