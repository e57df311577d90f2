import assert from "node:assert/strict";
import { test } from "node:test";
import type { GpuRelocation, RelocationPlace, RelocationStatus } from "../api/gpu-relocation.ts";
import { instanceName, nodeName } from "../base/ids.ts";
import { nextRelocation, type RelocationLook, type SeenPartition } from "./next-relocation.ts";

const [wish, victim] = [instanceName("w-hot-1"), instanceName("v-warm-1")];
const place = (node: string): RelocationPlace => ({ node: nodeName(node), gpu: 0, mig: null });
const relocation: GpuRelocation = {
  name: wish,
  wish,
  places: [place("a")],
  wishFrom: [],
  victims: [{ instance: victim, level: "warm", from: place("a"), to: place("b") }],
  cut: null,
  budgetMs: 1_000,
  rollbackBudgetMs: 500,
  status: null,
};
const status = (more: Partial<RelocationStatus>): RelocationStatus => ({
  phase: "Running",
  failureCount: 0,
  message: "",
  startedAt: "2026-01-01T00:00:00.000Z",
  endedAt: null,
  ...more,
});
const seenAt = (instance: typeof wish, node: string, isRunning = true): SeenPartition => ({ ...place(node), instance, isRunning });

/** `Running: w-hot-1 -> a, v-warm-1 a -> b due`, or the end. */
function told(of: GpuRelocation, look: Partial<RelocationLook>): string {
  const { status: next, isEnded, orders } = nextRelocation(of, { seen: [], elapsedMs: 0, refusal: null, moot: null, ...look });
  const lines = [...orders.of].map(
    ([instance, { from, to, isDue }]) => `${instance} ${from[0]?.node ?? "nowhere"} -> ${to[0]?.node ?? "anywhere"}${isDue ? " due" : ""}`,
  );
  return `${next.phase}${isEnded ? " at the end" : ""}${next.failureCount > 0 ? ` ${next.failureCount}` : ""}: ${lines.join(", ")}`;
}

const forward = "v-warm-1 a -> b due, w-hot-1 nowhere -> a due";
const back = "v-warm-1 nowhere -> a due";
const cases: readonly {
  readonly name: string;
  readonly status?: RelocationStatus;
  readonly look: Partial<RelocationLook>;
  readonly says: string;
}[] = [
  { name: "its victim goes from where it is", look: { seen: [seenAt(victim, "a")] }, says: `Running: ${forward}` },
  { name: "while the victim has no place both wait for theirs", look: {}, says: `Running: ${forward}` },
  {
    name: "it ends once both have a place, whether or not the victim runs",
    look: { seen: [seenAt(victim, "b", false), seenAt(wish, "a", false)] },
    says: "Completed at the end: ",
  },
  {
    name: "a victim that found another place has one",
    look: { seen: [seenAt(victim, "c"), seenAt(wish, "a")] },
    says: "Completed at the end: ",
  },
  {
    name: "it is late, and both have a place all the same",
    look: { seen: [seenAt(victim, "b"), seenAt(wish, "a")], elapsedMs: 9_000 },
    says: "Completed at the end: ",
  },
  { name: "late, who has no place goes back, and nobody else moves", look: { elapsedMs: 1_001 }, says: `RollingBack: ${back}` },
  {
    name: "late, and the victim has not gone or is back",
    look: { seen: [seenAt(victim, "a")], elapsedMs: 1_001 },
    says: "RolledBack at the end: ",
  },
  { name: "turned back it stays turned", status: status({ phase: "RollingBack" }), look: {}, says: `RollingBack: ${back}` },
  {
    name: "a wish that stands is not taken away for a victim without a place",
    look: { seen: [seenAt(wish, "a")], elapsedMs: 1_001 },
    says: "Failed at the end: ",
  },
  { name: "neither forward nor back in its time", look: { elapsedMs: 1_501 }, says: "Failed at the end: " },
  { name: "a refusal is counted", status: status({ failureCount: 1 }), look: { refusal: "no" }, says: `Running 2: ${forward}` },
  {
    name: "the third refusal in a row turns it back",
    status: status({ failureCount: 2 }),
    look: { refusal: "no" },
    says: `RollingBack 3: ${back}`,
  },
  { name: "refusals that are over are forgotten", status: status({ failureCount: 2 }), look: {}, says: `Running: ${forward}` },
  {
    name: "nobody needs it any more",
    look: { seen: [seenAt(victim, "b")], moot: "The wish is withdrawn." },
    says: "RolledBack at the end: ",
  },
];
for (const { name, status: before = null, look, says } of cases) {
  test(`relocation: ${name}`, () => assert.equal(told({ ...relocation, status: before }, look), says));
}
