import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { explainScenarioError, parseScenario } from "./parse-scenario.ts";
import { printScenario } from "./print-scenario.ts";
import type { EngineFault, Expectation, Scenario, ScenarioEvent } from "./scenario.ts";

const HEAD = "use gold tier gold hot 2 warm 1\nload gold 20/s\nrun 10s\n";
const TAIL = "expect no lost\n";

function read(text: string): Scenario {
  const parsed = parseScenario(text);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.error.map((error) => explainScenarioError("x", error).what).join(" "));
  return parsed.value;
}

test("a scenario reads as the sentences say", () => {
  const text = `# One engine dies.\n\nuse gold tier gold hot 2 warm 1 asleep cold budget 3 soak 2s\nload gold 20/s\nrun 10s\n# Not at its head.\nat 1500ms kill gold-hot-*\nexpect no lost but refused broken\nplanted strict: wait gold <= 1ms\n`;
  assert.deepEqual(read(text), {
    about: ["One engine dies."],
    nodes: [],
    services: [
      {
        name: "gold",
        tier: "gold",
        hotCount: 2,
        warmCount: 1,
        isWarmAsleep: true,
        hasReserve: true,
        policy: { isAutomatic: true, budget: 3, windowMs: null, soakMs: 2_000, queueMs: null },
      },
    ],
    loads: [{ service: "gold", perSecond: 20 }],
    runMs: 10_000,
    events: [{ atMs: 1_500, event: { kind: "kill", targets: ["gold-hot-*"] } }],
    expectations: [
      { planted: null, expectation: { kind: "no-lost", but: ["refused", "broken"] } },
      { planted: "strict", expectation: { kind: "wait", service: "gold", maxMs: 1 } },
    ],
  });
});

const wrongs: readonly { readonly name: string; readonly text: string; readonly says: string; readonly next: RegExp }[] = [
  {
    name: "a slip of a verb",
    text: `${HEAD}at 1s kil gold-hot-1\n${TAIL}`,
    says: "x:4:7: kil is not what happens.",
    next: /Did you mean kill\?/,
  },
  {
    name: "an unknown service",
    text: `${HEAD}at 1s kill silver-hot-1\n${TAIL}`,
    says: "x:4:12: No service silver is used above.",
    next: /one of gold/,
  },
  {
    name: "a slip of a service",
    text: `${HEAD}at 1s resume glod\n${TAIL}`,
    says: "x:4:14: glod is not a service.",
    next: /Did you mean gold\?/,
  },
  {
    name: "a time without a unit",
    text: `${HEAD}at 5 kill gold-hot-1\n${TAIL}`,
    says: "x:4:4: 5 is not a time of the run.",
    next: /Write 5s\./,
  },
  {
    name: "a missing word",
    text: `${HEAD}at 1s hang gold-hot-1\n${TAIL}`,
    says: "x:4:22: Here the word for is missing.",
    next: /Write for\./,
  },
  {
    name: "a word too many",
    text: `${HEAD}at 1s resume gold now\n${TAIL}`,
    says: "x:4:19: now stands behind the end of the line.",
    next: /Take it away/,
  },
  {
    name: "an unknown node",
    text: `${HEAD}at 1s lose node node-z for 1s\n${TAIL}`,
    says: "x:4:17: node-z is not a node.",
    next: /Did you mean node-a\?/,
  },
  {
    name: "an event behind the run",
    text: `${HEAD}at 11s resume gold\n${TAIL}`,
    says: "x:4:4: The event comes when the run is over.",
    next: /longer run/,
  },
  {
    name: "events in the wrong order",
    text: `${HEAD}at 2s resume gold\nat 1s resume gold\n${TAIL}`,
    says: "x:5:4: The event comes before the one above.",
    next: /order of time/,
  },
  { name: "no expectation", text: HEAD, says: "x:4:1: Nothing is expected of it.", next: /expect no lost/ },
  {
    name: "a service's words in another order",
    text: "use gold tier gold hot 1 cold warm 1\n",
    says: "x:1:31: This word stands too late.",
    next: /The order is/,
  },
  {
    name: "a rate that is none",
    text: "use gold tier gold hot 1\nload gold 20\n",
    says: "x:2:11: 20 is not a rate.",
    next: /1\/s to 1000\/s/,
  },
];

for (const { name, text, says, next } of wrongs) {
  test(`a scenario with ${name} is refused at its place`, () => {
    const parsed = parseScenario(text);
    assert.ok(!parsed.ok);
    const [first] = parsed.error.map((error) => explainScenarioError("x", error));
    assert.ok(first?.what.startsWith(says), first?.what);
    assert.match(first?.next ?? "", next);
  });
}

test("a scenario tells every wrong line at once", () => {
  const parsed = parseScenario(`${HEAD}at 1s kil gold-hot-1\nat 2s resume gold\nexpct no lost\n`);
  assert.deepEqual(parsed.ok ? [] : parsed.error.map(({ line }) => line), [4, 6]);
});

const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
const durationMs = fc.integer({ min: 100, max: 600_000 });
const bound = fc.integer({ min: 1, max: 600_000 });
const orNull = <Value>(of: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> => fc.option(of, { nil: null });

const tokens = fc.integer({ min: 0, max: 10_000 });
const factor = fc.integer({ min: 1, max: 1_000 });
const fault: fc.Arbitrary<EngineFault> = fc.oneof(
  fc.constantFrom<EngineFault>({ kind: "hang" }, { kind: "failed-wake" }, { kind: "garbage-after-wake" }, { kind: "ignores-share" }),
  fc.record({ kind: fc.constant("grabs-memory" as const), bytes: fc.integer({ min: 1, max: 1_000 }).map((gigabytes) => gigabytes * 1e9) }),
  fc.record({ kind: fc.constantFrom("stall" as const, "truncate" as const, "reset" as const), afterTokens: tokens }),
  fc.record({ kind: fc.constantFrom("slow" as const, "slow-wake" as const), factor }),
  fc.record({ kind: fc.constant("error-ratio" as const), ratio: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100) }),
);

function eventOf(service: string, node: string, zone: string): fc.Arbitrary<ScenarioEvent> {
  const target = fc
    .tuple(fc.constantFrom("hot", "warm", "cold"), fc.constantFrom("1", "12", "*"))
    .map(([level, at]) => `${service}-${level}-${at}`);
  const targets = fc.array(target, { minLength: 1, maxLength: 3 });
  const of = fc.constant(service);
  const perSecond = fc.integer({ min: 1, max: 1_000 });
  return fc.oneof(
    fc.record({ kind: fc.constantFrom("kill" as const, "stop" as const, "continue" as const), targets }),
    fc.record({ kind: fc.constant("fault" as const), targets, fault, forMs: bound }),
    fc.record({
      kind: fc.constant("lose" as const),
      place: fc.constantFrom({ kind: "gpu" as const, node, gpu: 0 }, { kind: "node" as const, node }, { kind: "zone" as const, zone }),
      mode: fc.constantFrom("fallen_off_bus" as const, "lost" as const, "ecc_uncorrectable" as const),
      forMs: bound,
    }),
    fc.record({
      kind: fc.constant("xid" as const),
      mode: fc.constantFrom("graphics_exception" as const, "mmu_fault" as const, "ecc_uncorrectable_contained" as const),
      targets,
    }),
    fc.record({
      kind: fc.constant("slow-teardown" as const),
      place: fc.constantFrom({ kind: "gpu" as const, node, gpu: 0 }, { kind: "node" as const, node }),
      teardownMs: bound,
      forMs: bound,
    }),
    fc.constantFrom<ScenarioEvent>(
      { kind: "kill-control-plane" },
      { kind: "start-control-plane" },
      { kind: "restart-control-plane" },
      { kind: "kill-gateway" },
    ),
    fc.record({ kind: fc.constant("cut-link" as const), forMs: bound }),
    fc.record({
      kind: fc.constant("failover" as const),
      service: of,
      to: orNull(fc.constantFrom("hot" as const, "warm" as const, "cold" as const)),
    }),
    fc.record({ kind: fc.constantFrom("failback" as const, "resume" as const), service: of }),
    fc.record({
      kind: fc.constant("set" as const),
      service: of,
      setting: fc.oneof(
        fc.record({ kind: fc.constant("revision" as const), revision: name }),
        fc.record({ kind: fc.constant("budget" as const), budget: fc.integer({ min: 0, max: 10_000 }) }),
        fc.record({ kind: fc.constant("soak" as const), soakMs: durationMs }),
      ),
    }),
    fc.record({ kind: fc.constant("surge" as const), service: of, perSecond, forMs: bound }),
    fc.record({ kind: fc.constantFrom("bad-requests" as const, "hang-ups" as const), service: of, count: perSecond }),
  );
}

function expectationOf(service: string): fc.Arbitrary<Expectation> {
  const of = fc.constant(service);
  const lost = fc.constantFrom("refused" as const, "error-events" as const, "broken" as const);
  const level = fc.constantFrom("hot" as const, "warm" as const, "cold" as const, "degraded" as const);
  return fc.oneof(
    fc.record({ kind: fc.constant("no-lost" as const), but: fc.array(lost, { maxLength: 3 }) }),
    fc.record({ kind: fc.constant("some" as const), lost }),
    fc.record({ kind: fc.constant("rungs" as const), service: of, levels: fc.array(level, { minLength: 1, maxLength: 5 }) }),
    fc.record({ kind: fc.constantFrom("recovery" as const, "wait" as const), service: of, maxMs: bound }),
    fc.record({ kind: fc.constant("whole" as const), withinMs: bound }),
    fc.record({ kind: fc.constant("failovers" as const), service: of, count: fc.integer({ min: 0, max: 1_000 }) }),
    fc.record({ kind: fc.constant("asleep" as const), service: of }),
    fc.record({ kind: fc.constant("phase" as const), service: of, phase: fc.constantFrom("Normal" as const, "Hold" as const) }),
    fc.record({ kind: fc.constant("condition" as const), service: of, type: fc.constantFrom("Held", "Pinned") }),
  );
}

const generated: fc.Arbitrary<Scenario> = fc.tuple(name, name, name).chain(([service, node, zone]) =>
  fc.record({
    about: fc.array(fc.stringMatching(/^([A-Za-z0-9.,:]( ?[A-Za-z0-9.,:]){0,20})?$/), { maxLength: 3 }),
    nodes: fc.record({ name: fc.constant(node), zone: fc.constant(zone), gpuCount: fc.integer({ min: 1, max: 8 }) }).map((one) => [one]),
    services: fc
      .record({
        name: fc.constant(service),
        tier: fc.constantFrom("platinum" as const, "gold" as const, "silver" as const),
        hotCount: fc.integer({ min: 1, max: 8 }),
        warm: fc.constantFrom(
          { warmCount: 0, isWarmAsleep: false },
          { warmCount: 1, isWarmAsleep: true },
          { warmCount: 2, isWarmAsleep: false },
        ),
        hasReserve: fc.boolean(),
        policy: fc.record({
          isAutomatic: fc.boolean(),
          budget: orNull(fc.integer({ min: 0, max: 10_000 })),
          windowMs: orNull(durationMs),
          soakMs: orNull(durationMs),
          queueMs: orNull(durationMs),
        }),
      })
      .map(({ warm, ...rest }) => [{ ...rest, ...warm }]),
    loads: fc.integer({ min: 1, max: 1_000 }).map((perSecond) => [{ service, perSecond }]),
    runMs: fc.constant(600_000),
    events: fc
      .array(fc.record({ atMs: fc.integer({ min: 0, max: 600_000 }), event: eventOf(service, node, zone) }), { maxLength: 6 })
      .map((events) => events.toSorted((left, right) => left.atMs - right.atMs)),
    expectations: fc.array(fc.record({ planted: orNull(name), expectation: expectationOf(service) }), { minLength: 1, maxLength: 6 }),
  }),
);

test("what is printed of any scenario reads as that scenario, and prints the same again", () => {
  fc.assert(
    fc.property(generated, (scenario) => {
      const text = printScenario(scenario);
      const again = read(text);
      // Generated objects have no prototype.
      assert.deepEqual(again, structuredClone(scenario));
      assert.equal(printScenario(again), text);
    }),
    { seed: 41, numRuns: 500 },
  );
});

test("no text makes the scenario parser throw, and what it refuses has a place", () => {
  const WORDS = [
    "use",
    "gold",
    "tier",
    "hot",
    "1",
    "load",
    "20/s",
    "run",
    "10s",
    "at",
    "kill",
    "gold-hot-1",
    "for",
    "x10",
    "expect",
    "no",
    "lost",
    "#",
    ":",
  ];
  const line = fc.array(fc.oneof(fc.constantFrom(...WORDS), fc.string()), { maxLength: 8 }).map((words) => words.join(" "));
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(line, { maxLength: 12 }).map((lines) => lines.join("\n")),
  );
  fc.assert(
    fc.property(text, (any) => {
      const parsed = parseScenario(any);
      assert.ok(parsed.ok || parsed.error.every(({ line: at, column }) => at >= 1 && column >= 1));
    }),
    { seed: 42, numRuns: 2_000 },
  );
});
