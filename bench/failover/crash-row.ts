import { MODEL, startLoad, stopLoad, untilSent, type Bench } from "./bench.ts";
import { LADDER_LOAD_MS, LADDER_WAKE_MS } from "./bench-manifests.ts";
import { ChangeWatch } from "./change-watch.ts";
import { usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { enginesOf, killAll } from "./outage-faults.ts";
import { isHotWhole, type SeenService } from "./platform-status.ts";
import { seeProcess, type SeenProcess } from "./process-table.ts";
import { atLeast, atMost, type RowResult } from "./report.ts";
import type { RequestRecord } from "./request-record.ts";
import { largest, percentile, sum } from "./statistics.ts";

const TENANT = "bench-asleep";
const RATE_PER_SECOND = 20;
const TARGETS = ["control plane", "gateway", "both"] as const;
type Target = (typeof TARGETS)[number];
/** Both hot engines may load over one disk; what had to be woken is woken first. */
const STILL_TO_RUN_MS = 2 * LADDER_LOAD_MS + LADDER_WAKE_MS;
const CONVERGED_WITHIN_MS = 2_000;
const WRITES_MAX = 40;
const REST_WITHIN_MS = 30_000;
/** A failover that is through makes no further write: loads, soak, and a failback's four steps of two seconds at most. */
const WRITE_WITHIN_MS = 20_000;

interface CrashPoint {
  readonly target: Target;
  readonly write: number;
}

interface CrashOutcome {
  readonly point: CrashPoint;
  /** The write came, and the processes were killed right after it. */
  readonly isHit: boolean;
  /** From the restart (of a gateway alone: from its death) until hot is whole and the gateway serves. */
  readonly convergedMs: number;
  readonly isAtRest: boolean;
  readonly doubles: readonly string[];
  readonly orphans: number;
  readonly wrong: number;
}

/** kill -9 after each recorded write of a failover, of everybody who writes or acts. */
export async function runCrashRow(bench: Bench, pointsMax: number): Promise<RowResult> {
  await bench.platform.untilWhole(REST_WITHIN_MS);
  const writes = Math.min(WRITES_MAX, await countWrites(bench));
  bench.progress.line(`crash-points: an undisturbed failover and its failback make ${writes} writes`);
  const all = TARGETS.flatMap((target) => Array.from({ length: writes }, (_, index): CrashPoint => ({ target, write: index + 1 })));
  const stride = Math.max(1, Math.ceil(all.length / pointsMax));
  const points = all.filter((_, index) => index % stride === 0);
  const outcomes: CrashOutcome[] = [];
  for (const point of points) {
    const outcome = await crash(bench, point);
    outcomes.push(outcome);
    const after = outcome.isHit ? `converged after ${outcome.convergedMs.toFixed(0)} ms` : "the write did not come";
    bench.progress.update(`crash-points ${outcomes.length}/${points.length}: ${point.target} at write ${point.write}: ${after}`);
    if (!outcome.isAtRest) break;
  }
  return summarise(points, outcomes, writes);
}

/** How many writes a failover that nobody disturbs makes until everybody is at rest again. */
async function countWrites(bench: Bench): Promise<number> {
  const load = await startLoad(bench, { tenant: TENANT, mix: usualMix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND } });
  await untilSent(load, 10);
  const watch = await ChangeWatch.open(bench.platform.adminPort);
  watch.listen(() => undefined);
  killAll(await enginesOf(bench, TENANT, ["hot"]));
  await bench.platform.untilWhole(REST_WITHIN_MS);
  watch.close();
  await stopLoad(bench, load);
  return watch.writes;
}

function victimsOf(bench: Bench, target: Target): readonly SeenProcess[] {
  const controlPlane = target === "gateway" ? null : bench.platform.controlPlane();
  const gateway = target === "control plane" ? null : bench.platform.gateway();
  const found = [controlPlane, gateway].filter((seen) => seen !== null);
  if (found.length !== (target === "both" ? 2 : 1)) throw new Error(`Not everybody runs who shall be killed: ${target}.`);
  return found;
}

async function crash(bench: Bench, point: CrashPoint): Promise<CrashOutcome> {
  bench.control.calmMoment();
  const load = await startLoad(bench, { tenant: TENANT, mix: usualMix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND } });
  await untilSent(load, 15);
  const victims = victimsOf(bench, point.target);
  const engines = await enginesOf(bench, TENANT, ["hot"]);
  const watch = await ChangeWatch.open(bench.platform.adminPort);
  let killedAtMs: number | null = null;
  watch.listen((count) => {
    if (count === point.write && killedAtMs === null) killedAtMs = killAll(victims);
  });
  killAll(engines);
  const doubles = new Set<string>();
  await load.until(() => killedAtMs !== null, WRITE_WITHIN_MS);
  watch.close();
  const fromMs = killedAtMs ?? monotonicMs();
  if (killedAtMs !== null && point.target !== "gateway") bench.platform.up();
  const convergedAtMs = await untilConverged(bench, doubles);
  const isAtRest = await untilAtRest(bench, doubles);
  await stopLoad(bench, load);
  const known = new Set(((await bench.platform.services()) ?? []).flatMap(({ instances }) => instances).map(({ pid }) => pid));
  return {
    point,
    isHit: killedAtMs !== null,
    convergedMs: convergedAtMs - fromMs,
    isAtRest,
    doubles: [...doubles],
    orphans: bench.platform.engines().filter(({ pid }) => !known.has(pid)).length,
    wrong: load.records.filter(isNeverRight).length,
  };
}

/** Whoever dies, no client is lied to: a broken connection is visible, a wrong or a silently cut answer is not. */
const isNeverRight = (record: RequestRecord): boolean => record.outcome === "wrong";

const areAlive = ({ instances }: SeenService): boolean =>
  instances.filter(({ level }) => level === "hot").every(({ pid }) => pid !== null && seeProcess(pid) !== null);

async function untilConverged(bench: Bench, doubles: Set<string>): Promise<number> {
  const atMs = await bench.platform.until((services) => {
    noteDoubles(bench, doubles);
    return services.length > 0 && services.every((service) => isHotWhole(service) && areAlive(service));
  }, REST_WITHIN_MS);
  if (atMs === null) return Number.POSITIVE_INFINITY;
  await bench.platform.untilServes(TENANT, MODEL, REST_WITHIN_MS);
  return Math.max(atMs, monotonicMs());
}

async function untilAtRest(bench: Bench, doubles: Set<string>): Promise<boolean> {
  const atMs = await bench.platform.untilWhole(REST_WITHIN_MS);
  noteDoubles(bench, doubles);
  return atMs !== null;
}

/** Two living engines of one instance at the same time: the double action that fencing must prevent. */
function noteDoubles(bench: Bench, doubles: Set<string>): void {
  const seen = new Set<string>();
  for (const { argv } of bench.platform.engines()) {
    const name = argv[argv.indexOf("--instance") + 1] ?? "";
    if (seen.has(name)) doubles.add(name);
    seen.add(name);
  }
}

function summarise(points: readonly CrashPoint[], outcomes: readonly CrashOutcome[], writes: number): RowResult {
  const hit = outcomes.filter(({ isHit }) => isHit);
  const convergedMs = hit.map((outcome) => outcome.convergedMs);
  const reached = (target: Target): number => hit.filter(({ point }) => point.target === target).length;
  return {
    row: "crash-points",
    n: hit.length,
    bars: [
      atLeast("crash points tried", outcomes.length, { min: points.length, unit: "points" }),
      // The last writes of an undisturbed failover may be fewer in the next: times differ.
      atLeast("crash points hit", hit.length, { min: Math.ceil(points.length * 0.8), unit: "points" }),
      atMost("converged, largest", largest(convergedMs), { max: Math.round(CONVERGED_WITHIN_MS + STILL_TO_RUN_MS), unit: "ms" }),
      atMost("points after which somebody is not at rest", outcomes.filter(({ isAtRest }) => !isAtRest).length, { max: 0, unit: "points" }),
      atMost("instances with two living engines", sum(outcomes.map(({ doubles }) => doubles.length)), { max: 0, unit: "engines" }),
      atMost("orphans", sum(outcomes.map(({ orphans }) => orphans)), { max: 0, unit: "engines" }),
      atMost("wrong answers", sum(outcomes.map(({ wrong }) => wrong)), { max: 0, unit: "requests" }),
    ],
    notes: [
      `${writes} writes; hit ${TARGETS.map((target) => `${target} ${reached(target)}`).join(", ")}`,
      `converged p50 ${(percentile(convergedMs, 0.5) ?? 0).toFixed(0)} ms; ${STILL_TO_RUN_MS.toFixed(0)} ms of the bar are loads and the wake`,
      ...outcomes
        .filter(
          ({ isAtRest, doubles, orphans, convergedMs: ms }) =>
            !isAtRest || doubles.length > 0 || orphans > 0 || ms > CONVERGED_WITHIN_MS + STILL_TO_RUN_MS,
        )
        .slice(0, 10)
        .map(
          ({ point, convergedMs: ms, doubles, orphans, isAtRest }) =>
            `${point.target} at write ${point.write}: converged ${ms.toFixed(0)} ms, at rest ${isAtRest}, doubles ${doubles.join(" ") || "none"}, orphans ${orphans}`,
        ),
    ],
    control: null,
  };
}
