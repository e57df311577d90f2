import { describeLost, RATE_PER_SECOND, startLoad, stopLoad, untilSent, WHOLE_WITHIN_MS, type Bench } from "./bench.ts";
import { isLostOnLadder, type Outage } from "./ladder-judge.ts";
import { usualMix } from "./mix.ts";
import { monotonicMs } from "./monotonic.ts";
import { enginesOf, killAll } from "./outage-faults.ts";
import { isHotWhole, type SeenService } from "./platform-status.ts";
import { atMost, type Bar, type RowResult } from "./report.ts";

const TENANT = "bench-hold";
const MAX = 3;
const WITHIN_MS = 15_000;
/** Longer than the soak and the steps of a failback: one that was not held would have come. */
const HELD_FOR_MS = 12_000;

const fact = (name: string, holds: boolean): Bar => ({ name, value: holds ? 1 : 0, unit: "(1 = yes)", must: "= 1", pass: holds });

/** Three failovers spend the window's budget; the fourth fault meets Hold, in which whoever is Ready serves; `resume` ends it. */
export async function runHoldRow(bench: Bench): Promise<RowResult> {
  await bench.platform.untilWhole(WHOLE_WITHIN_MS);
  const load = await startLoad(bench, { tenant: TENANT, mix: usualMix, pace: { kind: "open", ratePerSecond: RATE_PER_SECOND / 2 } });
  const faultsAtMs: number[] = [];
  const seen = (holds: (service: SeenService) => boolean): Promise<number | null> =>
    bench.platform.until((services) => services.some((service) => service.name === TENANT && holds(service)), WITHIN_MS);
  const facts: Bar[] = [];
  for (let move = 1; move <= MAX; move += 1) {
    bench.control.calmMoment();
    await untilSent(load, 30);
    faultsAtMs.push(killAll(await enginesOf(bench, TENANT, ["hot"])));
    facts.push(fact(`failover ${move} is made and counted`, (await seen((one) => one.failoversInWindow === move)) !== null));
    bench.progress.update(`hold: failover ${move} of ${MAX}`);
    // The last move is not taken back: that is what Hold means.
    if (move < MAX) await bench.platform.untilWhole(WITHIN_MS);
  }
  facts.push(
    fact(
      "Hold after the third, hot whole and traffic left where it is",
      (await seen((one) => one.phase === "Hold" && isHotWhole(one) && one.level === "warm")) !== null,
    ),
  );
  const epochs = new Set<number>();
  await bench.platform.until((services) => {
    for (const { name, epoch } of services) if (name === TENANT) epochs.add(epoch);
    return false;
  }, HELD_FOR_MS);
  facts.push(fact("no failback while held", epochs.size === 1));
  faultsAtMs.push(killAll(await enginesOf(bench, TENANT, ["warm"])));
  await untilSent(load, 60);
  const fourthAtMs = faultsAtMs.at(-1) ?? monotonicMs();
  await load.until(() => load.settledBeforeMs > fourthAtMs + 1_000, WITHIN_MS);
  const served = load.records.filter(
    ({ arrivedAtMs, outcome, level }) => arrivedAtMs > fourthAtMs && outcome === "complete" && level === "hot",
  );
  facts.push(fact("after the fourth fault, Ready engines serve", served.length > 0));
  const resumed = await bench.platform.command("resume", TENANT);
  facts.push(fact("resume is done", resumed.code === 0));
  const isFree = (one: SeenService): boolean => one.phase === "Normal" && one.failoversInWindow === 0 && one.level === "hot";
  facts.push(fact("resume ends Hold", (await seen(isFree)) !== null));
  await stopLoad(bench, load);
  const outages: readonly Outage[] = faultsAtMs.map((atMs, at) => ({ atMs, untilMs: faultsAtMs[at + 1] ?? Number.POSITIVE_INFINITY }));
  const lost = load.records.filter((record) => isLostOnLadder(record, { outages, areRefusalsAllowed: false }));
  return {
    row: "hold",
    n: faultsAtMs.length,
    bars: [atMost("requests lost", lost.length, { max: 0, unit: "requests" }), ...facts],
    notes: [
      `${load.records.length} requests; resume said: ${resumed.text.trim().split("\n").at(-1) ?? ""}`,
      ...describeLost(lost, ({ endedAtMs }) => faultsAtMs.findLast((atMs) => atMs <= endedAtMs) ?? 0),
    ],
    control: null,
  };
}
