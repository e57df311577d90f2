import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "../../src/api/fault.ts";
import { writeSharedCard } from "../../test/support/shared-card.ts";
import { injectFault } from "../failover/engine-fault.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import { Platform } from "../failover/platform.ts";
import { seeProcess } from "../failover/process-table.ts";
import type { Progress } from "../failover/progress.ts";
import { containmentRow, returnedRow, type SharesRow } from "./judge-shares.ts";
import { saturate } from "./token-meter.ts";

/** Each cheats once: the second time an instance would wait a minute. */
const CHEATS: readonly { readonly service: string; readonly fault: Fault }[] = [
  { service: "bronze-a", fault: { kind: "ignores-share" } },
  { service: "bronze-b", fault: { kind: "ignores-share" } },
  { service: "bronze-c", fault: { kind: "grabs-memory", bytes: 8e9 } },
];
const NEIGHBOUR = "gold";
const WHOLE_WITHIN_MS = 60_000;
const GIVE_UP_MS = 10_000;
const LOOK_EVERY_MS = 5;
const SETTLE_MS = 1_500;
const RATE_FOR_MS = 6_000;
const CHEAT_FOR_MS = 120_000;

const ENGINE = ["--step-base-ms", "20", "--step-per-sequence-ms", "0", "--prefill-tokens-per-second", "1000000000"];

/** The whole platform: from the first step or byte too many of an engine until its process is gone. */
export async function runContainment(progress: Progress): Promise<readonly SharesRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-containment-"));
  const names = [NEIGHBOUR, ...CHEATS.map(({ service }) => service)];
  writeSharedCard(
    folder,
    names.map((name) => ({ name, qosClass: name === NEIGHBOUR ? "gold" : "bronze", isolation: "medium", args: ENGINE })),
  );
  const platform = await Platform.start([folder]);
  process.once("exit", () => platform.endAtOnce({ keepsFiles: false }));
  try {
    if ((await platform.untilWhole(WHOLE_WITHIN_MS)) === null)
      throw new Error(`The platform is not whole: see ${platform.dataDir}/up.log.`);
    return await cheatAll(platform, progress);
  } finally {
    await platform.stop({ keepsFiles: false });
    rmSync(folder, { recursive: true, force: true });
  }
}

async function cheatAll(platform: Platform, progress: Progress): Promise<readonly SharesRow[]> {
  const load = async (service: string) => {
    const endpoint = (await platform.instance(`${service}-hot-1`))?.endpoint ?? "";
    return saturate({ endpoint, model: service, clientCount: 4, tokensEach: 400 });
  };
  const gold = await load(NEIGHBOUR);
  // One other beside it, all the time: what it should have is the same before and after.
  const steady = await load("bronze-c");
  const rateOver = async (forMs: number): Promise<number | null> => {
    const fromMs = monotonicMs();
    await sleep(forMs);
    return gold.ratePerSecond(fromMs, monotonicMs());
  };
  await sleep(SETTLE_MS);
  const before = await rateOver(RATE_FOR_MS);
  const rows: SharesRow[] = [];
  let during: number | null = null;
  for (const { service, fault } of CHEATS.slice(0, 2)) {
    progress.update(`${service}: ${fault.kind}`);
    const own = await load(service);
    await sleep(SETTLE_MS);
    const watched = await cheat(platform, service, fault);
    own.stop();
    rows.push(containmentRow(`${fault.kind} (${service})`, watched.tookMs));
    during = gold.ratePerSecond(watched.startedMs, watched.startedMs + (watched.tookMs ?? GIVE_UP_MS)) ?? during;
  }
  await sleep(SETTLE_MS);
  const after = await rateOver(RATE_FOR_MS);
  for (const { service, fault } of CHEATS.slice(2)) {
    progress.update(`${service}: ${fault.kind}`);
    rows.push(containmentRow(`${fault.kind} (${service})`, (await cheat(platform, service, fault)).tookMs));
  }
  gold.stop();
  steady.stop();
  return [...rows, ...returnedRow({ before, during, after })];
}

/** @returns when it began, and after how long its process was gone. */
async function cheat(
  platform: Platform,
  service: string,
  fault: Fault,
): Promise<{ readonly startedMs: number; readonly tookMs: number | null }> {
  const instance = await platform.instance(`${service}-hot-1`);
  const pid = instance?.pid ?? null;
  if (pid === null || instance?.endpoint === null || instance?.endpoint === undefined) throw new Error(`${service} does not run.`);
  const startedMs = monotonicMs();
  await injectFault(instance.endpoint, fault, CHEAT_FOR_MS);
  while (monotonicMs() - startedMs < GIVE_UP_MS) {
    if (seeProcess(pid) === null) return { startedMs, tookMs: monotonicMs() - startedMs };
    await sleep(LOOK_EVERY_MS);
  }
  return { startedMs, tookMs: null };
}
