import assert from "node:assert/strict";
import { test } from "node:test";
import { isHotWhole, isWhole, seeService, type SeenInstance } from "./platform-status.ts";

const instance = (name: string, changes: Partial<SeenInstance> = {}): SeenInstance => ({
  name,
  level: name.split("-")[0] ?? "",
  state: "Ready",
  generation: 1,
  pid: 10,
  endpoint: "http://127.0.0.1:40000",
  members: [],
  ...changes,
});
const asleep = instance("warm-1", { state: "Asleep" });
const hots = [instance("hot-1"), instance("hot-2")];
const service = (instances: readonly SeenInstance[], level = "hot", rest = "asleep") =>
  seeService({
    metadata: { name: "s" },
    spec: { hotStandby: { gpuCount: 2 }, warmStandby: { gpuCount: 1, rest } },
    status: { level, instances },
  });

const stands: readonly { name: string; given: ReturnType<typeof service>; isAtRest: boolean; isHot: boolean }[] = [
  { name: "two Ready hot and a sleeping warm", given: service([...hots, asleep]), isAtRest: true, isHot: true },
  { name: "a warm that is awake and should sleep", given: service([...hots, instance("warm-1")]), isAtRest: false, isHot: true },
  { name: "a resident warm", given: service([...hots, instance("warm-1")], "hot", "resident"), isAtRest: true, isHot: true },
  { name: "a resident warm that sleeps", given: service([...hots, asleep], "hot", "resident"), isAtRest: false, isHot: true },
  { name: "traffic that is still on warm", given: service([...hots, asleep], "warm"), isAtRest: false, isHot: true },
  { name: "a cold instance that is still there", given: service([...hots, asleep, instance("cold-1")]), isAtRest: false, isHot: true },
  {
    name: "one hot that starts",
    given: service([instance("hot-1"), instance("hot-2", { state: "Starting" }), asleep]),
    isAtRest: false,
    isHot: false,
  },
  {
    name: "a Ready hot without a process",
    given: service([instance("hot-1", { pid: null }), instance("hot-2"), asleep]),
    isAtRest: false,
    isHot: false,
  },
  { name: "no status yet", given: seeService({ metadata: { name: "s" } }), isAtRest: false, isHot: false },
];
for (const { name, given, isAtRest, isHot } of stands) {
  test(`the bench sees ${name} as ${isAtRest ? "at rest" : isHot ? "hot whole, not at rest" : "neither"}`, () => {
    assert.deepEqual([isWhole(given), isHotWhole(given)], [isAtRest, isHot]);
  });
}
