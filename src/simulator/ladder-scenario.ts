import type { ResourceDraft } from "../api/resource.ts";
import { assert } from "../base/assert.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { LadderChecker, Violation } from "./checker.ts";
import type { Coverage } from "./coverage.ts";
import { drawSchedule, mergeSchedules, type ScheduledEvent } from "./draw-schedule.ts";
import { GPU_FAULT_CLASSES, GPU_FAULT_GAP_MEAN_MS } from "./gpu-fault-classes.ts";
import type { Place } from "./ladder-event.ts";
import { createLadderCheckers, LadderWatch } from "./ladder-checks.ts";
import type { LadderView } from "./ladder-view.ts";
import { createOperator, type Operator } from "./operator.ts";
import { performEvent, type LadderClient } from "./perform-event.ts";
import { waitWatched } from "./watched-world.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient, type Outcome, type WorldRequest } from "./world-client.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

export interface LadderScenario {
  readonly seed: number;
  /** How long requests are started and things happen. */
  readonly loadMs: number;
  /** Of each of the three services. */
  readonly requestsPerSecond: number;
  /** Indexes of the events that happen; absent = all that the seed draws. */
  readonly events?: readonly number[];
  /** Xids of single engines and slow drivers happen too, beside what the seed draws without them. */
  readonly hasGpuFaults?: boolean;
  /** Whether `log` is wanted of the report; without it only the hash is made. */
  readonly isLogKept?: boolean;
  /** Beside those that always look. */
  readonly checkers?: readonly LadderChecker[];
}

export interface LadderReport {
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** What must never be: empty in a good run; in order of time. */
  readonly violations: readonly Violation[];
  /** What happened. */
  readonly events: readonly ScheduledEvent[];
  readonly coverage: Coverage;
  readonly virtualMs: number;
  /** From the last fault's end until everything was whole again; null = it was not within the bound. */
  readonly wholeAfterMs: number | null;
  /** Of every event: equal for equal seeds. */
  readonly hash: string;
  /** The events as text, made when it is asked for; empty when it was not kept. */
  readonly log: string;
}

/** Little more than is needed: with a zone away not everything has a place. */
const PLACES: readonly [Place, ...Place[]] = [
  { node: "gpu-a", zone: "az-1", gpuCount: 2 },
  { node: "gpu-b", zone: "az-1", gpuCount: 2 },
  { node: "gpu-c", zone: "az-2", gpuCount: 2 },
  { node: "gpu-d", zone: "az-2", gpuCount: 2 },
];
/** Short soak and window, so that a run of a minute sees failbacks and the end of a Hold. */
const POLICY = { maxFailoverCount: 4, window: "30s", failback: { soak: "5s" } };
/** One of each kind of ladder: a resident warm, a warm asleep with a reserve beside it, a reserve alone. */
const SERVICES = [
  { name: "tenant-platinum", model: "tide-a", tier: "platinum", warm: { gpuCount: 1, memoryReserved: "40GB" }, hot: 2 },
  { name: "tenant-gold", model: "tide-b", tier: "gold", warm: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" }, hot: 1 },
  { name: "tenant-silver", model: "tide-c", tier: "silver", warm: null, hot: 1 },
] as const;
const RESOURCES: readonly ResourceDraft[] = [
  ...PLACES.map(({ node, zone, gpuCount }) => gpuNodeDraft(node, zone, gpuCount)),
  ...SERVICES.map(({ name, model, tier, warm, hot }) =>
    draft("HotStandbyConfig", name, {
      tenant: name,
      tier,
      model: worldModel(model),
      hotStandby: { gpuCount: hot, memoryReserved: `${hot * 40}GB` },
      ...(warm === null ? {} : { warmStandby: { ...warm } }),
      coldStandby: { imageCache: true, memoryReserved: "20GB" },
      failoverPolicy: POLICY,
    }),
  ),
];

const GATEWAYS_MAX = 3;
const READY_WITHIN_MS = 30_000;
const STEP_MS = 250;
/** The longest fault, a Hold's window, a soak, a quarantine and a cold start, one after another. */
const WHOLE_WITHIN_MS = 200_000;
/** So often an operator asks to go back where an earlier order holds a service below hot. */
const TAKE_BACK_MS = 5_000;

/** All that a seed does to its world: the same events at the same times, whichever of them are left out. */
export function scheduleOf({
  seed,
  loadMs,
  hasGpuFaults = false,
}: Pick<LadderScenario, "seed" | "loadMs" | "hasGpuFaults">): readonly ScheduledEvent[] {
  const world = { places: PLACES, loadMs };
  const usual = drawSchedule(createSeededRandom(`${seed}/events`), world);
  if (!hasGpuFaults) return usual;
  const drawn = { classes: GPU_FAULT_CLASSES, gapMeanMs: GPU_FAULT_GAP_MEAN_MS };
  return mergeSchedules(usual, drawSchedule(createSeededRandom(`${seed}/gpu-faults`), world, drawn));
}

/** Of its own chance: how many there are moves no event. */
const gatewayCountOf = (seed: number): number => 1 + Math.floor(createSeededRandom(`${seed}/gateways`).next() * GATEWAYS_MAX);

/** A platform to which one thing after another happens by chance: no promise breaks, and once that ends all is as configured again. */
export async function runLadderScenario(scenario: LadderScenario): Promise<LadderReport> {
  const { seed, loadMs, requestsPerSecond } = scenario;
  const world = await startWorld(seed, RESOURCES, {
    gateways: gatewayCountOf(seed),
    ...(scenario.isLogKept === true ? {} : { eventsMax: 0 }),
  });
  const watch = new LadderWatch(world, [...createLadderCheckers(), ...(scenario.checkers ?? [])]);
  const run: Run = { world, watch, operator: createOperator(world), clients: [] };
  const isReady = await waitWatched(run, { limitMs: READY_WITHIN_MS, lookEveryMs: STEP_MS }, async (view) => wholeness(view).length === 0);
  if (!isReady) watch.add({ atMs: world.clock.monotonicMs(), checker: "liveness", whom: "the platform", what: "did not start" });
  await startClients(run, requestsPerSecond);
  const schedule = scheduleOf(scenario).filter(({ index }) => scenario.events?.includes(index) ?? true);
  const faultsEndMs = await happen(run, schedule, loadMs);
  for (const { client } of run.clients) client.stop();
  await world.clock.advance(Math.max(0, faultsEndMs - world.clock.monotonicMs()));
  const endMs = world.clock.monotonicMs();
  const isWhole = await becomesWhole(run);
  const view = await watch.look();
  if (view !== null) watch.judge(run.clients, view);
  const atMs = world.clock.monotonicMs();
  if (!isWhole && view !== null)
    for (const { name, why } of wholeness(view)) watch.add({ atMs, checker: "liveness", whom: name, what: why });
  watch.stop();
  await world.stop();
  const left = world.network.openCount();
  if (left > 0) watch.add({ atMs, checker: "leaks", whom: "the network", what: `${left} connections are left open` });
  return {
    outcomes: count(run.clients.flatMap(({ client }) => client.requests)),
    violations: watch.violations,
    events: schedule,
    coverage: watch.coverage.read(),
    virtualMs: world.clock.monotonicMs(),
    wholeAfterMs: isWhole ? atMs - endMs : null,
    hash: world.log.hash(),
    get log() {
      return world.log.text();
    },
  };
}

interface Run {
  readonly world: World;
  readonly watch: LadderWatch;
  readonly operator: Operator;
  readonly clients: LadderClient[];
}

/** Of each service one client at every gateway; together they ask as often as one would. */
async function startClients({ world, clients }: Run, requestsPerSecond: number): Promise<void> {
  for (const { name, model } of SERVICES) {
    const key = await world.createKey(name);
    await world.clock.advance(STEP_MS);
    for (const { name: gateway, address } of world.gateways) {
      const party = `client of ${name} at ${gateway}`;
      const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
      const share = requestsPerSecond / world.gateways.length;
      const client = new WorldClient(ports, { gateway: address, key, model, requestsPerSecond: share });
      clients.push({ service: name, party, gateway, client });
    }
  }
}

/** @returns when the last of the faults ends. */
async function happen({ world, watch, operator, clients }: Run, schedule: readonly ScheduledEvent[], loadMs: number): Promise<number> {
  const startMs = world.clock.monotonicMs();
  let faultsEndMs = 0;
  const walkTo = async (toMs: number): Promise<void> => {
    for (let leftMs = toMs - world.clock.monotonicMs(); leftMs > 0; leftMs = toMs - world.clock.monotonicMs()) {
      await world.clock.advance(Math.min(STEP_MS, leftMs));
      await watch.look();
    }
  };
  for (const scheduled of schedule) {
    await walkTo(startMs + scheduled.atMs);
    const view = await watch.look();
    assert(view !== null, "the world's store answers those who only look");
    const effect = await performEvent(scheduled, { world, view, clients, operator, places: PLACES });
    watch.happened(scheduled, effect, view);
    faultsEndMs = Math.max(faultsEndMs, effect.untilMs);
  }
  await walkTo(startMs + loadMs);
  return faultsEndMs;
}

/** Nothing is broken any more: within the bound every request ends, and everything is as configured. */
async function becomesWhole(run: Run): Promise<boolean> {
  let takenBackAtMs: number = run.world.clock.monotonicMs();
  return waitWatched(run, { limitMs: WHOLE_WITHIN_MS, lookEveryMs: STEP_MS }, async (view) => {
    if (view.atMs - takenBackAtMs >= TAKE_BACK_MS) {
      takenBackAtMs = view.atMs;
      const pinned = view.services.filter(({ status }) => status !== null && status.pinned !== null);
      for (const { name } of pinned) await run.operator.ask(name, "failback", null);
    }
    return run.clients.every(({ client }) => client.openCount === 0) && wholeness(view).length === 0;
  });
}

function wholeness(view: LadderView): readonly { readonly name: string; readonly why: string }[] {
  return SERVICES.flatMap(({ name }) => {
    const service = view.services.find((one) => one.name === name);
    const why = service === undefined ? "it is not stored" : whyNotWhole(service, view.records);
    return why === null ? [] : [{ name, why }];
  });
}

function count(requests: readonly WorldRequest[]): Readonly<Record<Outcome, number>> {
  const outcomes: Record<Outcome, number> = { open: 0, complete: 0, refused: 0, "error-event": 0, broken: 0, left: 0 };
  for (const { outcome } of requests) outcomes[outcome] += 1;
  return outcomes;
}
