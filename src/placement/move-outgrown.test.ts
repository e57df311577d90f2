import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instanceName } from "../base/ids.ts";
import { change, grow, look, node, placesOf, service, stageOf, strong, warmOf, worldOf, type Stage } from "./fake-relocation.ts";
import type { InstanceRequest } from "./placement-request.ts";
import { explainPlacement } from "./explain-placement.ts";
import { planPartitions } from "./plan-partitions.ts";

const looks = (stage: Stage, count: number): void => {
  for (let times = 0; times < count; times += 1) look(stage);
};
const leavingOf = ({ known }: Stage): readonly string[] =>
  known.flatMap(({ instance, leaving }) => (leaving === null ? [] : [`${instance} ${leaving}`]));
const noticeOf = (stage: Stage, instance: string): string | null => {
  const entry = planPartitions(worldOf(stage)).desired.find(({ partition }) => partition.instance === instance);
  return entry?.notices.find(({ code }) => code === "OUTGROWN")?.why ?? null;
};
const both = (requests: readonly InstanceRequest[]): readonly InstanceRequest[] =>
  requests.flatMap((request) => [request, { ...request, level: "warm", instance: instanceName(`${request.service}-warm-1`) }]);

test("an instance that asks for more than its MIG instance has is drained, and stands where it has that", () => {
  const stage = stageOf([node("n", 2)]);
  grow(stage, strong("f", "40GB"), strong("g", "20GB"), warmOf(strong("v", "20GB")));
  assert.deepEqual(placesOf(stage), { "f-hot-1": "n/0 3g@4", "g-hot-1": "n/0 1g-double@2", "v-warm-1": "n/0 1g-double@0" });
  change(stage, warmOf(strong("v", "40GB")));
  assert.deepEqual(leavingOf(stage), ["v-warm-1 moves to where it gets what its config asks for"]);
  look(stage);
  assert.deepEqual(placesOf(stage), { "f-hot-1": "n/0 3g@4", "g-hot-1": "n/0 1g-double@2", "v-warm-1": "n/1 3g@4" });
  looks(stage, 2);
  assert.deepEqual([leavingOf(stage), noticeOf(stage, "v-warm-1")], [[], null]);
});

test("it may grow on its own GPU, where nobody else comes meanwhile", () => {
  const stage = stageOf([node("n", 1)]);
  grow(stage, warmOf(strong("v", "20GB")), strong("g", "20GB"));
  assert.deepEqual(placesOf(stage), { "v-warm-1": "n/0 1g-double@6", "g-hot-1": "n/0 1g-double@4" });
  stage.wanted = [...stage.wanted, ...strong("late", "40GB")];
  change(
    stage,
    warmOf(strong("v", "40GB")).filter(({ level }) => level === "warm"),
  );
  assert.equal(placesOf(stage)["late-hot-1"], "n/0 3g@0");
  assert.equal(noticeOf(stage, "v-warm-1"), "No place is free that has as much.");
  stage.wanted = stage.wanted.filter(({ service: of }) => of !== "late");
  stage.running.delete(instanceName("late-hot-1"));
  look(stage);
  stage.wanted = [...stage.wanted, ...strong("later", "10GB")];
  look(stage);
  looks(stage, 2);
  assert.deepEqual(placesOf(stage), { "v-warm-1": "n/0 3g@0", "g-hot-1": "n/0 1g-double@4", "later-hot-1": "n/0 1g@6" });
});

test("the only one that runs stays where it is, and says why", () => {
  const stage = stageOf([node("n", 2)]);
  grow(stage, strong("f", "40GB"), strong("g", "20GB"), strong("v", "20GB"));
  change(stage, strong("v", "40GB"));
  looks(stage, 2);
  assert.deepEqual([placesOf(stage)["v-hot-1"], leavingOf(stage)], ["n/0 1g-double@0", []]);
  assert.equal(noticeOf(stage, "v-hot-1"), "Nobody else of its service runs, so it is not taken down for that.");
});

test("of a service one moves at a time, warm before hot", () => {
  const stage = stageOf([node("n", 4)]);
  grow(stage, strong("f", "40GB"), strong("g", "20GB"), both(strong("v", "20GB")));
  const [hot, warm] = [placesOf(stage)["v-hot-1"], placesOf(stage)["v-warm-1"]];
  change(stage, both(strong("v", "40GB")));
  assert.deepEqual(
    leavingOf(stage).map((text) => text.split(" ")[0]),
    ["v-warm-1"],
  );
  assert.equal(placesOf(stage)["v-hot-1"], hot);
  looks(stage, 5);
  assert.notEqual(placesOf(stage)["v-warm-1"], warm);
  for (const name of ["v-hot-1", "v-warm-1"]) assert.match(placesOf(stage)[name] ?? "", / 3g@/);
});

test("an instance whose isolation is raised leaves the GPU that it shares softly", () => {
  const stage = stageOf([node("n", 2)]);
  grow(stage, service("g", "20GB"), warmOf(service("v", "20GB")));
  assert.deepEqual(placesOf(stage), { "g-hot-1": "n/0", "v-warm-1": "n/0" });
  change(stage, warmOf(strong("v", "20GB")));
  looks(stage, 2);
  assert.deepEqual(placesOf(stage), { "g-hot-1": "n/0", "v-warm-1": "n/1 1g-double@6" });
});

test("what it was told to move to is kept from who comes later, however dear and however long the drain", () => {
  const stage = stageOf([node("n", 2)]);
  grow(stage, service("f", "60GB"), service("g", "30GB"), service("h", "20GB"), warmOf(service("v", "15GB")));
  assert.deepEqual(placesOf(stage), { "f-hot-1": "n/0", "g-hot-1": "n/1", "h-hot-1": "n/0", "v-warm-1": "n/1" });
  stage.wanted = stage.wanted.filter(({ service: of }) => of !== "f");
  stage.running.delete(instanceName("f-hot-1"));
  look(stage);
  change(stage, warmOf(service("v", "55GB")));
  stage.running.set(instanceName("v-warm-1"), ["n/1"]);
  const report = explainPlacement(worldOf(stage)).find(({ request }) => request.instance === "v-warm-1");
  assert.deepEqual(report?.outcome.kind === "stands" ? report.outcome.room : null, "It would move to n/0 itself.");
  const dear = service("dear", "40GB", { tier: "platinum" }).filter(({ level }) => level === "hot");
  stage.wanted = [...stage.wanted, ...dear.slice(0, 1)];
  for (let times = 0; times < 3; times += 1) look(stage, { isStuck: true });
  looks(stage, 3);
  assert.equal(placesOf(stage)["v-warm-1"], "n/0");
});

const anyTenant = fc.record({
  before: fc.constantFrom("10GB", "20GB", "40GB"),
  after: fc.constantFrom("10GB", "20GB", "40GB", "70GB"),
  wasStrong: fc.boolean(),
  isStrong: fc.boolean(),
  isAlone: fc.boolean(),
});

test("whoever grows, nobody is drained without another that runs, nobody is promised what another has, and it comes to rest", () => {
  let movedCount = 0;
  fc.assert(
    fc.property(fc.array(anyTenant, { minLength: 3, maxLength: 10 }), fc.array(fc.boolean(), { maxLength: 8 }), (list, stuck) => {
      const stage = stageOf([node("m", 1), node("n", 3)]);
      stage.mayBegin = false;
      const isolationOf = (isStrong: boolean) => ({ isolation: isStrong ? "strong" : "none" });
      const of = (index: number, memory: string, isStrong: boolean, isAlone: boolean) => {
        const requests = service(`s${index}`, memory, isolationOf(isStrong));
        return isAlone ? requests : warmOf(requests);
      };
      for (const [index, { before, wasStrong, isAlone }] of list.entries()) grow(stage, of(index, before, wasStrong, isAlone));
      const first = placesOf(stage);
      const served = new Set(stage.running.keys());
      for (const [index, { after, isStrong, isAlone }] of list.entries()) {
        const changed = new Map(of(index, after, isStrong, isAlone).map((request) => [request.instance, request]));
        stage.wanted = stage.wanted.map((request) => changed.get(request.instance) ?? request);
      }
      for (const isStuck of stuck) look(stage, { isStuck });
      looks(stage, 30);
      assert.deepEqual(leavingOf(stage), []);
      for (const instance of served) assert.ok(stage.running.has(instance), `${instance} runs no more`);
      const now = placesOf(stage);
      movedCount += Object.keys(first).filter((name) => first[name] !== "nowhere" && first[name] !== now[name]).length;
      look(stage);
      assert.deepEqual(placesOf(stage), now);
    }),
    { numRuns: 200 },
  );
  assert.ok(movedCount > 50, `${movedCount}`);
});

/** `w` has outgrown n0; on n1 or beside it room was begun to be made. */
function begunFor(asks: (requests: readonly InstanceRequest[]) => readonly InstanceRequest[], hostMemory: string): Stage {
  const stage = stageOf([node("n0", 1)]);
  stage.mayBegin = false;
  const add = (name: string, count: number): void => {
    stage.nodes = [node(name, count, "main", name === "n1" ? { hostMemory } : {}), ...stage.nodes];
  };
  grow(stage, service("f", "60GB"), asks(warmOf(service("w", "20GB"))));
  add("n1", 2);
  grow(stage, service("x", "30GB"), warmOf(service("v", "30GB")), service("z", "60GB"));
  add("n2", 1);
  grow(stage, service("y", "45GB"));
  change(stage, asks(warmOf(service("w", "45GB"))));
  stage.mayBegin = true;
  look(stage);
  stage.mayBegin = false;
  assert.deepEqual([stage.relocation?.wish, stage.relocation?.places.map(({ node: on }) => on)], ["w-warm-1", ["n1"]]);
  return stage;
}
/** How often it was taken down in so many looks. */
function downs(stage: Stage, lookCount: number): number {
  let count = 0;
  let isUp = true;
  for (let times = 0; times < lookCount; times += 1) {
    look(stage);
    const isNowUp = stage.running.has(instanceName("w-warm-1"));
    if (isUp && !isNowUp) count += 1;
    isUp = isNowUp;
  }
  return count;
}
const sleepers = (requests: readonly InstanceRequest[]): readonly InstanceRequest[] =>
  requests.map((request) => (request.level === "warm" ? { ...request, hostBytes: 8e9 } : request));

test("who has outgrown its place is not drained while what it needs where room was made is taken", () => {
  const stage = begunFor(sleepers, "10GB");
  // Of the node only the GPU is closed: a newcomer beside it may have the host memory.
  grow(stage, sleepers(warmOf(service("late", "15GB"))));
  assert.equal(downs(stage, 8), 0);
  assert.match(placesOf(stage)["w-warm-1"] ?? "", /^n0/);
});

for (const { asks, ends } of [
  { asks: "20GB", ends: "Completed" },
  { asks: "70GB", ends: null },
]) {
  test(`who has outgrown its place and asks for ${asks} once room is being made is taken down once at most`, () => {
    const stage = begunFor((requests) => requests, "512GB");
    change(stage, warmOf(service("w", asks)));
    assert.ok(downs(stage, 10) <= 1);
    assert.equal(stage.running.has(instanceName("w-warm-1")), true);
    if (ends !== null) assert.equal(stage.relocation?.status?.phase, ends);
  });
}

test("who asks for more than its class may have gets no room by moves", () => {
  const capped = (requests: readonly InstanceRequest[]): readonly InstanceRequest[] => requests.map((one) => ({ ...one, capBytes: 40e9 }));
  for (const [asks, isBegun] of [
    [(requests: readonly InstanceRequest[]) => requests, true],
    [capped, false],
  ] as const) {
    const stage = stageOf([node("n0", 1)]);
    stage.mayBegin = false;
    grow(stage, service("f", "60GB"), asks(warmOf(service("w", "20GB"))));
    for (const [name, beside] of [
      ["n1", [service("x", "30GB"), warmOf(service("v", "30GB"))]],
      ["n2", [service("y", "45GB")]],
    ] as const) {
      stage.nodes = [node(name, 1), ...stage.nodes];
      grow(stage, ...beside);
    }
    change(stage, asks(warmOf(service("w", "45GB"))));
    stage.mayBegin = true;
    look(stage);
    assert.equal(stage.relocation !== null, isBegun);
  }
});
