import type { ResourceDraft } from "../api/resource.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { formatViolation } from "./checker.ts";
import type { Place } from "./ladder-event.ts";
import { createLadderCheckers, LadderWatch } from "./ladder-checks.ts";
import type { LadderView } from "./ladder-view.ts";
import { drawOutage, type OutageFault } from "./no-store-faults.ts";
import { OutageTruth } from "./no-store-truth.ts";
import { createOperator, type Operator } from "./operator.ts";
import { performEvent, type LadderClient } from "./perform-event.ts";
import type { RowReport } from "./row-report.ts";
import { untilWhole } from "./until-whole.ts";
import { lookNow, passWatched } from "./watched-world.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient } from "./world-client.ts";
import { gatewayName } from "./world-gateway.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

export interface NoStoreScenario {
  readonly seed: number;
  /** How long every call of the control plane to the store fails. */
  readonly outageMs: number;
  /** How many of the passing classes of faults happen; without it: all. */
  readonly passing?: number;
}

const PLACES: readonly [Place, ...Place[]] = [
  { node: "gpu-a", zone: "az-1", gpuCount: 2 },
  { node: "gpu-b", zone: "az-1", gpuCount: 2 },
  { node: "gpu-c", zone: "az-2", gpuCount: 2 },
  { node: "gpu-d", zone: "az-2", gpuCount: 2 },
];
/** A resident warm, a sleeping warm that gateways may wake, and one that they may not: its moves are used up from the start. */
const SERVICES = [
  { name: "tenant-platinum", model: "tide-a", tier: "platinum", warm: { memoryReserved: "40GB" }, hot: 2, maxFailoverCount: 4 },
  { name: "tenant-gold", model: "tide-b", tier: "gold", warm: { memoryReserved: "20GB", rest: "asleep" }, hot: 2, maxFailoverCount: 4 },
  { name: "tenant-silver", model: "tide-c", tier: "silver", warm: { memoryReserved: "20GB", rest: "asleep" }, hot: 1, maxFailoverCount: 0 },
] as const;
const RESOURCES: readonly ResourceDraft[] = [
  ...PLACES.map(({ node, zone, gpuCount }) => gpuNodeDraft(node, zone, gpuCount)),
  ...SERVICES.map(({ name, model, tier, warm, hot, maxFailoverCount }) =>
    draft("HotStandbyConfig", name, {
      tenant: name,
      tier,
      model: worldModel(model),
      hotStandby: { gpuCount: hot, memoryReserved: `${hot * 40}GB` },
      warmStandby: { gpuCount: 1, ...warm },
      failoverPolicy: { maxFailoverCount, window: "30s", failback: { soak: "5s" } },
    }),
  ),
];
const UNGRANTED_HOT = "tenant-silver-hot-1";
const READY_WITHIN_MS = 60_000;
/** Between faults few ask; around one many do. */
const QUIET_PER_SECOND = 0.05;
const BURST = { perSecond: 2, beforeMs: 2_000, afterMs: 25_000 };
const LOOK_EVERY_MS = { quiet: 60_000, burst: 1_000 };
/** The longest answer of a slow engine. */
const SETTLE_MS = 30_000;
/** As of every other world of ladders: docs/reliability.md. */
const WHOLE_WITHIN_MS = 200_000;
/** Time for every heartbeat: an engine that stands still is not known to do so at once. */
const WHOLE_FOR_MS = 15_000;
const TAKE_BACK_MS = 5_000;

/** The store is away for long, and one thing after another breaks: gateways fail over within what they hold, and all is whole once it is back. */
export async function runNoStoreScenario(scenario: NoStoreScenario): Promise<RowReport> {
  const { seed, outageMs } = scenario;
  const world = await startWorld(seed, RESOURCES, { eventsMax: 0 });
  await untilWhole(world, READY_WITHIN_MS);
  const watch = new LadderWatch(world, createLadderCheckers());
  const run: Run = { world, watch, operator: createOperator(world), keys: new Map(), clients: [], found: [] };
  for (const { name } of SERVICES) run.keys.set(name, await world.createKey(name));
  await world.clock.advance(1_000);
  const view = await lookNow(run);
  world.faultStore({ isOut: true }, outageMs);
  const truth = new OutageTruth(world, view, outageMs);
  startClients(run, QUIET_PER_SECOND);
  const met = new Map<string, number>();
  for (const fault of drawOutage(world.chance("outage"), { ...scenario, places: PLACES, ungrantedHot: UNGRANTED_HOT }))
    if (await suffer(run, truth, fault)) met.set(fault.className, (met.get(fault.className) ?? 0) + 1);
  await passWatched(run, truth.endsAtMs - world.clock.monotonicMs(), LOOK_EVERY_MS.quiet);
  for (const { client } of run.clients) client.stop();
  run.found.push(...(await truth.close()));
  world.healStore();
  const endsAtMs = world.clock.monotonicMs();
  const wholeAtMs = await becomesWhole(run);
  await world.clock.advance(SETTLE_MS);
  watch.judge(run.clients, await lookNow(run));
  const refused = run.clients.flatMap(({ client }) => client.requests).filter(({ outcome }) => outcome === "refused").length;
  run.found.push(...run.clients.flatMap((client) => truth.judge(client)), ...watch.violations.map(formatViolation));
  watch.stop();
  await world.stop();
  return {
    violations: run.found,
    counts: {
      ...Object.fromEntries([...met].map(([name, count]) => [`fault ${name}`, count])),
      requests: run.clients.reduce((sum, { client }) => sum + client.requests.length, 0),
      refused,
      ...truth.counts,
      "seconds without the store": Math.round(outageMs / 1_000),
    },
    timesMs: wholeAtMs === null ? {} : { "whole after": [wholeAtMs - endsAtMs] },
    virtualMs: world.clock.monotonicMs(),
    hash: world.log.hash(),
  };
}

interface Run {
  readonly world: World;
  readonly watch: LadderWatch;
  readonly operator: Operator;
  readonly keys: Map<string, string>;
  readonly clients: LadderClient[];
  readonly found: string[];
}

function startClients({ world, keys, clients }: Run, requestsPerSecond: number): readonly LadderClient[] {
  const started = SERVICES.map(({ name, model }) => {
    const party = `client of ${name}`;
    const ports = {
      clock: world.clock,
      random: world.chance(`${party} ${clients.length}`),
      upstream: world.upstreamOf(party),
      log: world.log,
    };
    const load = { gateway: world.gatewayAddress, key: keys.get(name) ?? "", model, requestsPerSecond };
    return { service: name, party, gateway: gatewayName(0), client: new WorldClient(ports, load) };
  });
  clients.push(...started);
  return started;
}

/** @returns false = there was nobody left whom it could meet. */
async function suffer(run: Run, truth: OutageTruth, { scheduled, isLasting, target }: OutageFault): Promise<boolean> {
  const { world, watch, operator } = run;
  await passWatched(run, truth.startedAtMs + scheduled.atMs - BURST.beforeMs - world.clock.monotonicMs(), LOOK_EVERY_MS.quiet);
  const quiet = run.clients.slice(0, SERVICES.length);
  const burst = startClients(run, BURST.perSecond);
  await passWatched(run, BURST.beforeMs, LOOK_EVERY_MS.burst);
  const view = await lookNow(run);
  const engines = target === null ? view.engines : view.engines.filter(({ instance }) => instance === target);
  const ground = { world, view: { ...view, engines }, clients: [...burst, ...quiet], operator, places: PLACES };
  const effect = await performEvent(scheduled, ground);
  const untilMs = isLasting ? truth.endsAtMs : effect.untilMs;
  watch.happened(scheduled, { ...effect, untilMs }, view);
  truth.happened(scheduled, effect);
  await passWatched(run, BURST.afterMs, LOOK_EVERY_MS.burst);
  for (const { client } of burst) client.stop();
  return !isAboutEngines(scheduled.event.kind) || effect.instances.length > 0;
}

const isAboutEngines = (kind: string): boolean =>
  ["kill", "freeze", "engine-fault", "bad-wake", "gpu-lost", "zone-lost", "partition", "bad-link"].includes(kind);

/** As the store says, and also in truth: what it says is as old as its outage. */
function whyAway(view: LadderView): readonly string[] {
  const running = new Set(view.engines.map(({ uid, generation }) => `${uid} ${generation}`));
  const gone = view.services
    .flatMap(({ status }) => status?.instances ?? [])
    .filter(({ uid, generation }) => !running.has(`${uid} ${generation}`))
    .map(({ name }) => `${name} does not run`);
  return [...gone, ...view.services.flatMap((service) => whyNotWhole(service, view.records) ?? [])];
}

/** Whom only an operator takes back: pinned by an order, or without a move of its own. */
const isHeld = ({ pinned, phase, level }: ServiceStatus): boolean => pinned !== null || (phase === "Hold" && level !== "hot");

/** @returns when; null = not within the bound, and why is among what was found. */
async function becomesWhole(run: Run): Promise<number | null> {
  const { clock } = run.world;
  const untilMs = clock.monotonicMs() + WHOLE_WITHIN_MS;
  let takenBackAtMs: number = clock.monotonicMs();
  let wholeSinceMs: number | null = null;
  for (;;) {
    const view = await lookNow(run);
    const away = whyAway(view);
    if (away.length > 0) wholeSinceMs = null;
    else wholeSinceMs ??= view.atMs;
    if (wholeSinceMs !== null && view.atMs - wholeSinceMs >= WHOLE_FOR_MS) return wholeSinceMs;
    if (view.atMs >= untilMs) {
      run.found.push(...away.map((why) => `${(view.atMs / 1_000).toFixed(3)} s, liveness: ${why}`));
      return null;
    }
    if (view.atMs - takenBackAtMs >= TAKE_BACK_MS) {
      takenBackAtMs = view.atMs;
      for (const { name, status } of view.services) if (status !== null && isHeld(status)) await run.operator.ask(name, "failback", null);
    }
    await clock.advance(LOOK_EVERY_MS.burst);
  }
}
