import type { RequestRecord } from "./request-record.ts";

/** For tests of judges: a whole stream at `hot-1`, whose tokens lie around 1,000 ms, where faults are. */
export const fakeRecord = (more: Partial<RequestRecord> = {}): RequestRecord => ({
  id: 1,
  isStream: true,
  kind: "plain",
  promptTokens: 128,
  maxTokens: 3,
  arrivedAtMs: 900,
  endedAtMs: 1_400,
  tokenTimesMs: [950, 990, 1_200],
  outcome: "complete",
  status: 200,
  instance: "hot-1",
  level: "hot",
  attempts: 1,
  retryAfterSeconds: null,
  note: "",
  ...more,
});
