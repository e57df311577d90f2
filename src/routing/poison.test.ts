import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { monotonicMs, serviceName } from "../base/ids.ts";
import { isPoison, meansDeath, ONE_FAULT_MS, type DeathUnder, type EngineDeath } from "./poison.ts";

const at = (milliseconds: number): DeathUnder["at"] => monotonicMs(milliseconds);
const death = (name: string, atMs: number, change: Partial<DeathUnder> = {}): DeathUnder => ({
  engine: `${name}/1`,
  service: serviceName("gold"),
  machine: `node-${name}`,
  zone: null,
  at: at(atMs),
  seenAt: at(atMs),
  hasStepped: true,
  ...change,
});

interface Case {
  readonly name: string;
  readonly deaths: readonly DeathUnder[];
  readonly others?: readonly EngineDeath[];
  readonly since?: number;
  readonly expected: boolean;
}

const A = death("a", 1_000);
const B = death("b", 5_000);
const PLATINUM = { service: serviceName("platinum") } as const;

const cases: readonly Case[] = [
  { name: "nothing died under it", deaths: [], expected: false },
  { name: "one death proves nothing", deaths: [A], expected: false },
  { name: "two deaths on two machines are its own", deaths: [A, B], expected: true },
  { name: "the first death needs no step", deaths: [{ ...A, hasStepped: false }, B], expected: true },
  { name: "a second death before any step is not its own", deaths: [A, { ...B, hasStepped: false }], expected: false },
  { name: "two deaths of one machine are the machine's", deaths: [A, { ...B, machine: A.machine }], expected: false },
  { name: "two deaths of one zone are the zone's", deaths: [death("a", 1_000, { zone: "az-1" }), { ...B, zone: "az-1" }], expected: false },
  { name: "unknown zones are not one zone", deaths: [A, { ...B, zone: "az-1" }], expected: true },
  {
    name: "of three deaths one pair of two machines is enough",
    deaths: [A, { ...death("c", 3_000), machine: "node-b" }, B],
    expected: true,
  },
  {
    name: "a death together with another service's is a common fault",
    deaths: [A, B],
    others: [death("x", 5_000 + ONE_FAULT_MS, PLATINUM)],
    expected: false,
  },
  {
    name: "so it is when the first one was common",
    deaths: [A, B],
    others: [death("x", 1_000 - ONE_FAULT_MS, PLATINUM)],
    expected: false,
  },
  {
    name: "another service's death a little later is another fault",
    deaths: [A, B],
    others: [death("x", 5_001 + ONE_FAULT_MS, PLATINUM)],
    expected: true,
  },
  {
    name: "a silence may have begun with whatever died until it was seen",
    deaths: [A, { ...B, seenAt: at(6_500) }],
    others: [death("x", 6_500 + ONE_FAULT_MS, PLATINUM)],
    expected: false,
  },
  {
    name: "another service's silence may have begun with it too",
    deaths: [A, B],
    others: [death("x", 4_000, { ...PLATINUM, seenAt: at(5_000) })],
    expected: false,
  },
  {
    name: "another engine of the same service at the same time is a common fault too, for a request runs in one at a time",
    deaths: [A, B],
    others: [death("x", 5_000)],
    expected: false,
  },
  {
    name: "another engine of the same service a little later is another fault",
    deaths: [A, B],
    others: [death("x", 5_001 + ONE_FAULT_MS)],
    expected: true,
  },
  {
    name: "its own two deaths in two services do not excuse each other",
    deaths: [A, death("b", 1_040, PLATINUM)],
    others: [A, death("b", 1_040, PLATINUM)],
    expected: true,
  },
  { name: "what came before the first known death cannot be judged", deaths: [A, B], since: 1_000, expected: false },
];
for (const c of cases) {
  test(`poison: ${c.name}`, () => {
    assert.equal(isPoison(c.deaths, { since: at(c.since ?? 0), deaths: c.others ?? [] }), c.expected);
  });
}

test("poison: only an engine that is gone or stands still has died", () => {
  const causes = ["refused", "reset", "cut", "silent", "no-progress", "5xx", "malformed", "stall"] as const;
  assert.deepEqual(
    causes.filter((cause) => meansDeath(cause)),
    ["refused", "reset", "cut", "silent", "no-progress"],
  );
});

const anyDeath = fc.record({
  engine: fc.integer({ min: 1, max: 6 }).map((index) => `e${index}/1` as const),
  service: fc.constantFrom("gold", "platinum", "silver").map((name) => serviceName(name)),
  machine: fc.constantFrom("n1", "n2", "n3"),
  zone: fc.constantFrom(null, "z1", "z2"),
  at: fc.integer({ min: 0, max: 5_000 }).map((milliseconds) => at(milliseconds)),
  seenAt: fc.integer({ min: 5_000, max: 6_000 }).map((milliseconds) => at(milliseconds)),
  hasStepped: fc.boolean(),
});
const deathsOf = fc.array(anyDeath, { maxLength: 6 });
const RUNS = { numRuns: 2_000, seed: 20_261_126 };

test("poison: no request is ever blamed when all deaths share a machine, or a zone", () => {
  fc.assert(
    fc.property(deathsOf, deathsOf, fc.boolean(), (deaths, others, isZone) => {
      const shared = deaths.map((one) => ({ ...one, ...(isZone ? { zone: "z1" } : { machine: "n1" }) }));
      assert.equal(isPoison(shared, { since: at(-1_000), deaths: others }), false);
    }),
    RUNS,
  );
});

test("poison: no request is ever blamed when another engine, of any service, died with each of its own", () => {
  fc.assert(
    fc.property(deathsOf, fc.integer({ min: -ONE_FAULT_MS, max: ONE_FAULT_MS }), fc.boolean(), (deaths, offMs, isOwn) => {
      const others = deaths.map((one, index) => ({
        ...one,
        engine: `x${index}/1` as const,
        service: isOwn ? one.service : serviceName("other"),
        at: at(one.at + offMs),
        seenAt: at(one.at + offMs),
      }));
      assert.equal(isPoison(deaths, { since: at(-1_000), deaths: others }), false);
    }),
    RUNS,
  );
});

test("poison: what else died never makes a request guilty that was not, and one death never does", () => {
  fc.assert(
    fc.property(deathsOf, deathsOf, (deaths, others) => {
      const alone = isPoison(deaths, { since: at(-1_000), deaths: [] });
      if (!alone) assert.equal(isPoison(deaths, { since: at(-1_000), deaths: others }), false);
      assert.equal(isPoison(deaths.slice(0, 1), { since: at(-1_000), deaths: others }), false);
    }),
    RUNS,
  );
});
