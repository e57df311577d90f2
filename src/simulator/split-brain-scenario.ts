import type { ResourceDraft } from "../api/resource.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { assert } from "../base/assert.ts";
import type { Random } from "../ports/random.ts";
import type { Violation } from "./checker.ts";
import { EVENT_CLASSES, type Place } from "./ladder-event.ts";
import { createLadderCheckers, LadderWatch } from "./ladder-checks.ts";
import type { LadderView } from "./ladder-view.ts";
import type { CrashPoint } from "./mortal.ts";
import type { ObeyedOrder } from "./node-agent.ts";
import { createOperator } from "./operator.ts";
import { performEvent, type LadderClient } from "./perform-event.ts";
import { between } from "./draw-schedule.ts";
import { waitWatched } from "./watched-world.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient } from "./world-client.ts";
import { gatewayName } from "./world-gateway.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

export interface SplitBrainReport {
  /** Of all checkers; empty in a good run. */
  readonly violations: readonly Violation[];
  /** Acts of a deposed leader that took effect, and starts of one generation twice. */
  readonly doubleActions: readonly string[];
  /** How often the stand-by took over: nothing is shown by a run without one. */
  readonly takeovers: number;
  /** Late acts of the old leader, by who stopped them: itself, a receiver, a gateway. */
  readonly refusals: { readonly byItself: number; readonly byReceivers: number; readonly byGateways: number };
  /** The call at which the leader stood still; null = between calls. */
  readonly stoodAt: string | null;
  /** Ladder moves decided while the old leader stood still. */
  readonly movesMeanwhile: number;
  readonly hash: string;
  readonly virtualMs: number;
}

const PLACES: readonly [Place, ...Place[]] = [
  { node: "gpu-a", zone: "az-1", gpuCount: 2 },
  { node: "gpu-b", zone: "az-2", gpuCount: 2 },
];
const POLICY = { maxFailoverCount: 6, window: "30s", failback: { soak: "3s" } };
const SERVICES = [
  { name: "tenant-gold", model: "tide-b", tier: "gold", warm: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" } },
  { name: "tenant-silver", model: "tide-c", tier: "silver", warm: null },
] as const;
const RESOURCES: readonly ResourceDraft[] = [
  ...PLACES.map(({ node, zone, gpuCount }) => gpuNodeDraft(node, zone, gpuCount)),
  ...SERVICES.map(({ name, model, tier, warm }) =>
    draft("HotStandbyConfig", name, {
      tenant: name,
      tier,
      model: worldModel(model),
      hotStandby: { gpuCount: 1, memoryReserved: "40GB" },
      ...(warm === null ? {} : { warmStandby: { ...warm } }),
      coldStandby: { imageCache: true, memoryReserved: "20GB" },
      failoverPolicy: POLICY,
    }),
  ),
];
const CLASSES = ["engine-killed", "engines-killed", "engine-paused", "engine-hangs", "all-5xx", "operator-failover", "operator-failback"];

const PAUSE_MS = 30_000;
/** The old leader has gone on and has had time to do harm. */
const AFTER_MS = 10_000;
const READY_WITHIN_MS = 30_000;
const WHOLE_WITHIN_MS = 120_000;
const STEP_MS = 250;
const REQUESTS_PER_SECOND = 0.5;
/** One that is to stand still at a call stands still without one after so long. */
const STAND_WITHIN_MS = 12_000;
const BEFORE_MS = { min: 500, max: 4_000 };
const FAULT_GAP_MEAN_MS = 7_000;
/** An operator's order is taken back so often while all is to become whole. */
const TAKE_BACK_MS = 5_000;
/** A stand-by sees the lease unchanged for 3 s, looks each half second, and starts. */
const TAKEN_OVER_WITHIN_MS = 6_000;

/** Where a leader stands still: in the middle of what it decided, or somewhere. */
const STANDS: readonly { readonly site: string; readonly target: string }[] = [
  { site: "store.writeStatus", target: "" },
  { site: "store.writeStatus", target: "" },
  { site: "store.applyAll", target: "" },
  { site: "store.create", target: "" },
  { site: "launcher.ensure", target: "" },
  { site: "launcher.remove", target: "" },
  { site: "driver.ensurePartition", target: "" },
  { site: "hub.send", target: "" },
  { site: "upstream.call", target: "/sleep" },
  { site: "upstream.call", target: "/wake_up" },
  { site: "upstream.call", target: "" },
];

/** A leader stands still for 30 s, a stand-by takes over, the old one goes on: nothing is done twice, and nothing late has an effect. */
export async function runSplitBrainScenario(seed: number): Promise<SplitBrainReport> {
  const run = await startRun(seed);
  const { world, watch, chance } = run;
  await walk(run, between(chance, BEFORE_MS));
  const old = world.leader();
  assert(old !== null, "somebody leads before anything happens");
  // A failover is under way, or begins a moment later.
  await happen(run, chance.next() < 0.7 ? "engine-killed" : null);
  const stoodAt = await standStill(run, old);
  const stoodAtMs = world.clock.monotonicMs();
  const movesBefore = moves(run);
  await walk(run, TAKEN_OVER_WITHIN_MS);
  const next = world.leader();
  if (next === null || next === old) run.wrong("takeover", old, `stands still for ${TAKEN_OVER_WITHIN_MS} ms and is not replaced`);
  await walk(run, PAUSE_MS - TAKEN_OVER_WITHIN_MS);
  const movesMeanwhile = moves(run) - movesBefore;
  world.resume(old);
  run.isFaulty = chance.next() < 0.5;
  await walk(run, AFTER_MS);
  if (world.leader() === old) run.wrong("takeover", old, `leads again after ${world.clock.monotonicMs() - stoodAtMs} ms`);
  run.isFaulty = false;
  for (const { client } of run.clients) client.stop();
  await becomeWhole(run);
  watch.stop();
  await world.stop();
  const left = world.network.openCount();
  if (left > 0) run.wrong("leaks", "the network", `${left} connections are left open`);
  return {
    violations: watch.violations,
    doubleActions: run.doubleActions,
    takeovers: run.counts.taken - 1,
    refusals: { byItself: run.counts.byItself, byReceivers: run.counts.byReceivers, byGateways: run.counts.byGateways },
    stoodAt,
    movesMeanwhile,
    hash: world.log.hash(),
    virtualMs: world.clock.monotonicMs(),
  };
}

interface Run {
  readonly world: World;
  readonly watch: LadderWatch;
  readonly chance: Random;
  readonly clients: readonly LadderClient[];
  readonly doubleActions: string[];
  readonly counts: { taken: number; byItself: number; byReceivers: number; byGateways: number };
  /** Further faults happen by chance while it is true. */
  isFaulty: boolean;
  eventCount: number;
  nextFaultAtMs: number;
  wrong(checker: string, whom: string, what: string): void;
}

async function startRun(seed: number): Promise<Run> {
  const doubleActions: string[] = [];
  const counts = { taken: 0, byItself: 0, byReceivers: 0, byGateways: 0 };
  const obeyed = createOrderChecker((what) => doubleActions.push(what));
  const refused = (): void => void (counts.byReceivers += 1);
  const world = await startWorld(seed, RESOURCES, { eventsMax: 0, controlPlanes: 2, orders: { obeyed, refused } });
  world.log.listen(({ event, fields }) => {
    if (event === "lead.taken") counts.taken += 1;
    if (event === "lead.refused") counts.byItself += 1;
    if (event === "gateway.word-of-old-leader") counts.byGateways += 1;
    if (event === "partition.planned" && fields["outcome"] === "UNAVAILABLE") counts.byReceivers += 1;
  });
  // Terms are counted from the first leader, who began before anybody listened.
  counts.taken += 1;
  const watch = new LadderWatch(world, createLadderCheckers());
  const clients: LadderClient[] = [];
  const wrong = (checker: string, whom: string, what: string): void => watch.add({ atMs: world.clock.monotonicMs(), checker, whom, what });
  const chance = createSeededRandom(`${seed}/split brain`);
  const run: Run = { world, watch, chance, clients, doubleActions, counts, isFaulty: false, eventCount: 0, nextFaultAtMs: 0, wrong };
  if (!(await waitWatched(run, { limitMs: READY_WITHIN_MS, lookEveryMs: STEP_MS }, (view) => whyNot(view) === null)))
    wrong("liveness", "the platform", "did not start");
  for (const { name, model } of SERVICES) {
    const key = await world.createKey(name);
    await world.clock.advance(STEP_MS);
    const party = `client of ${name}`;
    const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
    const load = { gateway: world.gatewayAddress, key, model, requestsPerSecond: REQUESTS_PER_SECOND };
    clients.push({ service: name, party, gateway: gatewayName(0), client: new WorldClient(ports, load) });
  }
  run.isFaulty = true;
  return run;
}

/**
 * What took effect: never an order of a leader after a newer one has been heard of, and no generation is started twice. One whose process
 * died by itself before the old leader could say so is started again by the next one, whose stored intent it is.
 */
function createOrderChecker(say: (what: string) => void): (order: ObeyedOrder) => void {
  const started = new Map<string, { readonly term: number; isEnded: boolean }>();
  return ({ verb, term, newestTerm, whom }) => {
    if (term < newestTerm) say(`${verb} of ${whom}, ordered in term ${term}, took effect in term ${newestTerm}`);
    if (verb === "end") for (const [name, start] of started) if (name.startsWith(`${whom} `)) start.isEnded = true;
    if (verb !== "start") return;
    const before = started.get(whom);
    if (before !== undefined && (before.term === term || before.isEnded)) say(`${whom} was started twice, the second time in term ${term}`);
    started.set(whom, { term, isEnded: false });
  };
}

/** @returns the call at which it stands; null = it came to none of that kind in time, and stands where it was. */
async function standStill(run: Run, party: string): Promise<string | null> {
  const { world, chance } = run;
  const stand = STANDS[Math.floor(chance.next() * STANDS.length * 1.2)];
  const point: CrashPoint = chance.next() < 0.5 ? "before" : "after";
  const stood: { at: string | null } = { at: null };
  if (stand !== undefined) {
    let toSkip = chance.next() < 0.6 ? 0 : 1 + Math.floor(chance.next() * 2);
    world.standAt(party, {
      point,
      isAt: (site, target) => site === stand.site && target.startsWith(stand.target) && toSkip-- <= 0,
      stop: (site) => {
        stood.at = `${point} ${site}${stand.target === "" ? "" : ` ${stand.target}`}`;
        world.pause(party);
      },
    });
    if (chance.next() < 0.5) await happen(run, "engine-killed");
    for (let waitedMs = 0; stood.at === null && waitedMs < STAND_WITHIN_MS; waitedMs += STEP_MS) await walk(run, STEP_MS);
    world.standAt(party, null);
  }
  if (stood.at === null) world.pause(party);
  return stood.at;
}

async function walk(run: Run, durationMs: number): Promise<void> {
  const { world, watch } = run;
  const untilMs = world.clock.monotonicMs() + durationMs;
  while (world.clock.monotonicMs() < untilMs) {
    await world.clock.advance(Math.min(STEP_MS, untilMs - world.clock.monotonicMs()));
    await watch.look();
    if (run.isFaulty && world.clock.monotonicMs() >= run.nextFaultAtMs) await happen(run, drawClass(run));
  }
}

function drawClass(run: Run): string | null {
  const isFirst = run.nextFaultAtMs === 0;
  run.nextFaultAtMs = run.world.clock.monotonicMs() + STEP_MS - Math.log(1 - run.chance.next()) * FAULT_GAP_MEAN_MS;
  return isFirst ? null : (CLASSES[Math.floor(run.chance.next() * CLASSES.length)] ?? null);
}

async function happen(run: Run, className: string | null): Promise<void> {
  const { world, watch, chance, clients } = run;
  const of = EVENT_CLASSES.find(({ name }) => name === className);
  const view = await watch.look();
  if (of === undefined || view === null) return;
  run.eventCount += 1;
  const next = (): number => chance.next();
  const pick = <Item>(items: readonly [Item, ...Item[]]): Item => items[Math.floor(next() * items.length)] ?? items[0];
  const event = of.draw({ next, pick, place: pick(PLACES), forMs: Math.round(between(chance, { min: 1_000, max: 8_000 })) });
  const scheduled = { index: run.eventCount, className: of.name, atMs: view.atMs, event, aim: next() };
  const effect = await performEvent(scheduled, { world, view, clients, operator: createOperator(world), places: PLACES });
  watch.happened(scheduled, effect, view);
}

async function becomeWhole(run: Run): Promise<void> {
  const { world, watch } = run;
  const operator = createOperator(world);
  let takenBackAtMs = 0;
  let why: string | null = null;
  await waitWatched(run, { limitMs: WHOLE_WITHIN_MS, lookEveryMs: STEP_MS }, async (view) => {
    if (view.atMs - takenBackAtMs >= TAKE_BACK_MS) {
      takenBackAtMs = view.atMs;
      for (const { name, status } of view.services)
        if (status !== null && status.pinned !== null) await operator.ask(name, "failback", null);
    }
    why = whyNot(view) ?? (run.clients.some(({ client }) => client.openCount > 0) ? "requests are open" : null);
    return why === null;
  });
  if (why !== null) run.wrong("liveness", "the platform", why);
  const view = await watch.look();
  if (view !== null) watch.judge(run.clients, view);
}

function whyNot(view: LadderView): string | null {
  if (view.services.length < SERVICES.length) return "not every service is stored";
  return view.services.map((service) => whyNotWhole(service, view.records)).find((why) => why !== null) ?? null;
}

const moves = ({ watch }: Run): number => Object.values(watch.coverage.read()["moves"] ?? {}).reduce((sum, count) => sum + count, 0);
