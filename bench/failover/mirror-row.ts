import { describeLost, instanceOf, RATE_PER_SECOND, startLoad, stopLoad, WHOLE_WITHIN_MS, type Bench } from "./bench.ts";
import { usualMix } from "./mix.ts";
import { readMetricAt } from "./platform.ts";
import { atMost, type RowResult } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";
import { setMirror } from "./set-mirror.ts";
import { percentile, sum } from "./statistics.ts";

const TENANT = "bench-mirror";
const MIRROR_PERCENT = 10;
const POINTS_MAX = 1;
/** Each half of the comparison is cut up, so that a slow moment of the machine meets both. */
const TURNS = 4;
const P50_MAX_MS = 5;
const P99_MAX_MS = 25;
const APPLIED_WITHIN_MS = 5_000;
/** Ends of requests at the warm engine, whatever the reason: an aborted copy was taken, too. */
const ENDED = "vllm:request_success_total";

interface Turn {
  readonly records: readonly RequestRecord[];
  readonly copies: number;
  readonly countedRequests: number;
}

async function runTurn(bench: Bench, requests: number, seedOffset: number): Promise<Turn> {
  const warm = await instanceOf(bench, `${TENANT}-warm-1`);
  const copiesBefore = await readMetricAt(warm.endpoint, ENDED);
  const countedBefore = (await bench.platform.gatewayMetric("tidegate_requests_total")) ?? 0;
  const load = await startLoad(bench, {
    tenant: TENANT,
    mix: usualMix,
    pace: { kind: "open", ratePerSecond: RATE_PER_SECOND },
    seedOffset,
  });
  await load.until(() => load.sent >= requests, 120_000);
  await stopLoad(bench, load);
  // A copy may outlive the request that it copies.
  await bench.platform.until(() => false, 2_000);
  const copies = (await readMetricAt(warm.endpoint, ENDED)) - copiesBefore;
  const countedRequests = ((await bench.platform.gatewayMetric("tidegate_requests_total")) ?? 0) - countedBefore;
  return { records: load.records, copies, countedRequests };
}

const waits = (turns: readonly Turn[]): readonly number[] =>
  turns
    .flatMap(({ records }) => records)
    .filter(({ isStream }) => isStream)
    .map(({ tokenTimesMs, endedAtMs, arrivedAtMs }) => (tokenTimesMs[0] ?? endedAtMs) - arrivedAtMs);

const moreMs = (withMirror: readonly Turn[], without: readonly Turn[], ratio: number): number =>
  (percentile(waits(withMirror), ratio) ?? 0) - (percentile(waits(without), ratio) ?? 0);

/** A tenth of what hot serves is copied to the warm engine; its clients and its bill do not notice. */
export async function runMirrorRow(bench: Bench, requests: number): Promise<RowResult> {
  await bench.platform.untilWhole(WHOLE_WITHIN_MS);
  const withMirror: Turn[] = [];
  const without: Turn[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const [percent, turns] of [
      [MIRROR_PERCENT, withMirror],
      [0, without],
    ] as const) {
      await setMirror(bench, TENANT, percent);
      await bench.platform.until(() => false, APPLIED_WITHIN_MS / 5);
      bench.control.calmMoment();
      turns.push(await runTurn(bench, Math.ceil(requests / TURNS), turn));
      bench.progress.update(`mirror: turn ${turn + 1}/${TURNS} at ${percent} %: ${turns.at(-1)?.copies} copies`);
    }
  }
  await setMirror(bench, TENANT, MIRROR_PERCENT);
  const records = [...withMirror, ...without].flatMap((turn) => turn.records);
  const mirrored = withMirror.flatMap((turn) => turn.records).length;
  const percent = (100 * sum(withMirror.map(({ copies }) => copies))) / Math.max(1, mirrored);
  const billed = sum([...withMirror, ...without].map(({ countedRequests }) => countedRequests));
  const lost = records.filter(({ outcome }) => outcome !== "complete");
  return {
    row: "mirror",
    n: mirrored,
    bars: [
      atMost("requests lost", lost.length, { max: 0, unit: "requests" }),
      atMost("distance of the copies from 10 %", Math.abs(percent - MIRROR_PERCENT), { max: POINTS_MAX, unit: "points" }),
      atMost("copies without a mirror", sum(without.map(({ copies }) => copies)), { max: 0, unit: "requests" }),
      atMost("first token p50, more than without", moreMs(withMirror, without, 0.5), { max: P50_MAX_MS, unit: "ms" }),
      atMost("first token p99, more than without", moreMs(withMirror, without, 0.99), { max: P99_MAX_MS, unit: "ms" }),
      atMost("requests counted that no client sent", billed - records.length, { max: 0, unit: "requests" }),
    ],
    notes: [
      `${percent.toFixed(2)} % of ${mirrored} requests were copied; first token p50 / p99 ` +
        `${[0.5, 0.99].map((ratio) => (percentile(waits(withMirror), ratio) ?? 0).toFixed(1)).join(" / ")} ms with, ` +
        `${[0.5, 0.99].map((ratio) => (percentile(waits(without), ratio) ?? 0).toFixed(1)).join(" / ")} ms without`,
      ...describeLost(lost, () => records[0]?.arrivedAtMs ?? 0),
    ],
    control: null,
  };
}
