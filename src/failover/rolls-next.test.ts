import assert from "node:assert/strict";
import { test } from "node:test";
import { instanceName, type InstanceName } from "../base/ids.ts";
import type { InstanceStatus, ServiceStatus } from "../api/service-status.ts";
import type { DesiredInstance } from "./desired-instances.ts";
import { member, recorded } from "./fake-instance.ts";
import type { Placement } from "./instance-look.ts";
import { rollOf, rollsNext } from "./rolls-next.ts";

const names = ["hot-1", "hot-2", "warm-1"] as const;
const levelOf = (name: string): "hot" | "warm" => (name.startsWith("hot") ? "hot" : "warm");
const desired = names.map((name): DesiredInstance => ({
  name: instanceName(name),
  level: levelOf(name),
  weight: 1,
  memberCount: 1,
  rest: name === "warm-1" ? "asleep" : "awake",
}));
interface Case {
  readonly name: string;
  readonly states?: Partial<Record<(typeof names)[number], InstanceStatus["state"]>>;
  readonly leaving?: readonly (typeof names)[number][];
  readonly refused?: readonly (typeof names)[number][];
  readonly outdated?: readonly (typeof names)[number][];
  readonly rolls: string | null;
}
const cases: readonly Case[] = [
  { name: "nobody while all are as they should be", rolls: null },
  { name: "one that must leave its GPU", leaving: ["hot-1"], rolls: "hot-1" },
  { name: "of two that must leave, warm before hot", leaving: ["hot-1", "warm-1"], rolls: "warm-1" },
  { name: "the last hot before the first", leaving: ["hot-1", "hot-2"], rolls: "hot-2" },
  { name: "nobody while another is not at rest", leaving: ["hot-1"], states: { "hot-2": "Starting" }, rolls: null },
  { name: "an outdated one and one that must leave are the same question", leaving: ["hot-1"], outdated: ["hot-2"], rolls: "hot-2" },
  {
    name: "not the only one that serves, hot or warm",
    leaving: ["warm-1"],
    states: { "hot-1": "Pending", "hot-2": "Pending" },
    refused: ["hot-1", "hot-2"],
    rolls: null,
  },
  {
    name: "not a hot one whose twin has no place",
    leaving: ["hot-1"],
    states: { "hot-2": "Pending", "warm-1": "Asleep" },
    refused: ["hot-2"],
    rolls: null,
  },
  { name: "a sleeper that must leave", leaving: ["warm-1"], states: { "warm-1": "Asleep" }, rolls: "warm-1" },
];
for (const { name, states = {}, leaving = [], refused = [], outdated = [], rolls } of cases) {
  test(`who is ended next: ${name}`, () => {
    const instances = names.map((each) => ({
      ...recorded(states[each] ?? "Ready"),
      name: instanceName(each),
      level: levelOf(each),
      fingerprint: outdated.includes(each) ? "f0" : "f1",
    }));
    const placements = new Map(
      names.map((each): readonly [InstanceName, Placement] => [
        instanceName(each),
        refused.includes(each)
          ? { kind: "refused", what: "No.", why: "Full." }
          : { kind: "bound", members: [member(0)], leaving: leaving.includes(each) ? "makes room for x" : null },
      ]),
    );
    const before: Pick<ServiceStatus, "instances"> = { instances };
    assert.equal(rollsNext(desired, before, { fingerprint: "f1", placements }), rolls === null ? null : instanceName(rolls));
  });
}

test("what is said of one that is moved names for whom, of one that is outdated the config", () => {
  const instance = { ...recorded("Ready"), name: instanceName("hot-1"), fingerprint: "f1" };
  const placement: Placement = { kind: "bound", members: [member(0)], leaving: "makes room for x" };
  assert.deepEqual(rollOf(instance, { placement }, { fingerprint: "f1" }), {
    message: "leaves its GPU: it makes room for x",
    note: { what: "Moves hot-1.", why: "It makes room for x." },
  });
  assert.equal(rollOf(instance, { placement }, { fingerprint: "f2" }).message, "ends for the changed config");
});
