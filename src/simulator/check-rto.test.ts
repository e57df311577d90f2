import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_CLOCK } from "../api/failover-record.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { judgeRto } from "./check-rto.ts";
import { at, hot1, hot2, instance, record, serviceView, status, warm1 } from "./ladder-view-rig.ts";
import type { ServiceView } from "./ladder-view.ts";
import { whyNotWhole } from "./why-not-whole.ts";

test("no recovery time is believed that no client has waited", () => {
  const request = { id: 1, ask: "", prompt: "", tokensMax: 1, isStream: true, firstByteAtMs: null, outcome: "complete", text: "" } as const;
  const waited = { ...request, startedAtMs: 9_000, endedAtMs: 12_000, servedFrom: null, retryAfter: null, answerIds: [] };
  const clock = { ...NO_CLOCK, fault: at(10_000) };
  const judge = (rtoMs: number, lost: number, worstMs: number): readonly string[] =>
    judgeRto({
      service: serviceView(status({ rto: { targetMs: 5_000, lastMs: worstMs, worstMs } })),
      records: [record({ phase: "Completed", clock, rtoMs, affected: { requests: 1, lost } })],
      requests: [waited],
      atMs: 20_000,
      wallOffsetMs: 0,
    }).map(({ what }) => what);
  assert.deepEqual(judge(2_900, 0, 2_900), []);
  assert.deepEqual(judge(4_000, 0, 2_900), ["its RTO is 4000 ms, and no client of that time waited so long"]);
  assert.deepEqual(judge(2_900, 1, 2_900), ["1 were lost, and clients saw 0"]);
  assert.deepEqual(judge(2_900, 0, 9_000), ["its worst RTO is 9000 ms, and no client waited longer than 3000 ms"]);
});

test("a client that came late in a long loss waited for its recovery as one that was there at the fault", () => {
  const request = { id: 1, ask: "", prompt: "", tokensMax: 1, isStream: true, firstByteAtMs: null, outcome: "complete", text: "" } as const;
  const late = { ...request, startedAtMs: 20_000, endedAtMs: 23_000, servedFrom: null, answerIds: [], retryAfter: null };
  const judge = (firstGoodToken: string | null): readonly string[] =>
    judgeRto({
      service: serviceView(status()),
      records: [record({ phase: "Completed", clock: { ...NO_CLOCK, fault: at(10_000), firstGoodToken }, rtoMs: 2_900 })],
      requests: [late],
      atMs: 30_000,
      wallOffsetMs: 0,
    }).map(({ what }) => what);
  assert.deepEqual(judge(at(22_900)), []);
  assert.deepEqual(judge(null), ["its RTO is 2900 ms, and no client of that time waited so long"]);
});

test("a service is whole on hot, at rest, at its spec, with no record open", () => {
  const why = (of: ServiceStatus, more: Partial<ServiceView> = {}): string | null => whyNotWhole({ ...serviceView(of), ...more }, []);
  assert.equal(why(status()), null);
  const away: readonly (string | null)[] = [
    why(status({ level: "warm" })),
    why(status({ phase: "Restoring" })),
    why(status({ pinned: "warm" })),
    why(status({ instances: [hot1, hot2, { ...warm1, state: "Ready" }] })),
    why(status({ instances: [hot1, hot2, warm1, instance("cold-1", { level: "cold" })] })),
    why(status({ instances: [{ ...hot1, fingerprint: "older" }, hot2, warm1] })),
    why(status(), { specGeneration: 2 }),
    whyNotWhole(serviceView(status()), [record({})]),
  ];
  assert.deepEqual(
    away.map((one) => one?.startsWith("it is on ")),
    away.map(() => true),
  );
  assert.equal(whyNotWhole(serviceView(status()), [record({ phase: "Completed" })]), null);
});
