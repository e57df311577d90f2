import type { ResourceDraft } from "../api/resource.ts";
import { drawEvent, perform, type LadderEvent, type Place } from "./ladder-events.ts";
import { watchLadder, whyNotWhole } from "./ladder-checks.ts";
import { WorldClient, type Outcome, type WorldRequest } from "./world-client.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

export interface LadderScenario {
  readonly seed: number;
  /** How long requests are started and things happen. */
  readonly loadMs: number;
  readonly requestsPerSecond: number;
}

export interface LadderReport {
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** What must never be: empty in a good run. */
  readonly violations: readonly string[];
  readonly events: readonly LadderEvent["kind"][];
  readonly virtualMs: number;
  /** From the last fault's end until everything was whole again; null = it was not within the bound. */
  readonly wholeAfterMs: number | null;
  /** Of every event: equal for equal seeds. */
  readonly hash: string;
  /** The events as text, made when it is asked for. */
  readonly log: string;
}

/** Little more than is needed: with a zone away not everything has a place. */
const PLACES: readonly Place[] = [
  { node: "gpu-a", zone: "az-1", gpuCount: 2 },
  { node: "gpu-b", zone: "az-1", gpuCount: 2 },
  { node: "gpu-c", zone: "az-2", gpuCount: 2 },
  { node: "gpu-d", zone: "az-2", gpuCount: 2 },
];
/** Short soak and window, so that a run of a minute sees failbacks and the end of a Hold. */
const POLICY = { maxFailoverCount: 4, window: "30s", failback: { soak: "5s" } };
/** One of each kind of ladder: a resident warm, a warm asleep with a reserve beside it, a reserve alone. */
const SERVICES = [
  { name: "tenant-platinum", model: "tide-a", rest: "Ready", tier: "platinum", warm: { gpuCount: 1, memoryReserved: "40GB" }, hot: 2 },
  {
    name: "tenant-gold",
    model: "tide-b",
    rest: "Asleep",
    tier: "gold",
    warm: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" },
    hot: 1,
  },
  { name: "tenant-silver", model: "tide-c", rest: "Ready", tier: "silver", warm: null, hot: 1 },
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

const READY_WITHIN_MS = 30_000;
const STEP_MS = 250;
/** Short enough that one fault meets another's recovery. */
const EVENT_GAP_MS = { min: 500, max: 5_000 };
/** The longest fault, a Hold's window, a soak, a quarantine and a cold start, one after another. */
const WHOLE_WITHIN_MS = 200_000;

/** A platform to which one thing after another happens by chance: no promise breaks, and once that ends all is as configured again. */
export async function runLadderScenario({ seed, loadMs, requestsPerSecond }: LadderScenario): Promise<LadderReport> {
  const world = await startWorld(seed, RESOURCES);
  const checks = watchLadder(world);
  const isReady = await waitUntil(world, READY_WITHIN_MS, () => areAllWhole(world));
  const clients = await startClients(world, requestsPerSecond);
  const excused = new Set<WorldRequest>();
  const events: LadderEvent["kind"][] = [];
  const chance = world.chance("events");
  let faultsEndMs = 0;
  const untilMs = world.clock.monotonicMs() + loadMs;
  while (world.clock.monotonicMs() < untilMs) {
    const gapMs = EVENT_GAP_MS.min + chance.next() * (EVENT_GAP_MS.max - EVENT_GAP_MS.min);
    for (let waitedMs = 0; waitedMs < gapMs; waitedMs += STEP_MS) {
      await world.clock.advance(STEP_MS);
      await checks.look();
    }
    const event = drawEvent(chance, PLACES);
    events.push(event.kind);
    // What a dead gateway had in hand ends as its connections do.
    if (event.kind === "restart-gateway") for (const client of clients) for (const one of client.openRequests) excused.add(one);
    if ("forMs" in event) faultsEndMs = Math.max(faultsEndMs, world.clock.monotonicMs() + event.forMs);
    await perform(world, event, { chance, places: PLACES });
  }
  for (const client of clients) client.stop();
  await world.clock.advance(Math.max(0, faultsEndMs - world.clock.monotonicMs()));
  const endMs = world.clock.monotonicMs();
  const isWhole = await waitUntil(world, WHOLE_WITHIN_MS, async () => {
    await checks.look();
    return clients.every((client) => client.openCount === 0) && (await areAllWhole(world));
  });
  const wholeAfterMs = isWhole ? world.clock.monotonicMs() - endMs : null;
  const reasons = isReady && isWhole ? [] : await Promise.all(SERVICES.map(({ name, rest }) => whyNotWhole(world, name, rest)));
  for (const client of clients) checks.judge(client.requests, excused);
  await world.stop();
  if (world.network.openCount() > 0) reasons.push(`${world.network.openCount()} connections are left open.`);
  return {
    outcomes: count(clients.flatMap((client) => client.requests)),
    violations: [...(isReady ? [] : ["The platform did not start."]), ...checks.violations, ...reasons.filter((reason) => reason !== null)],
    events,
    virtualMs: world.clock.monotonicMs(),
    wholeAfterMs,
    hash: world.log.hash(),
    get log() {
      return world.log.text();
    },
  };
}

async function startClients(world: World, requestsPerSecond: number): Promise<readonly WorldClient[]> {
  const clients: WorldClient[] = [];
  for (const { name, model } of SERVICES) {
    const key = await world.createKey(name);
    await world.clock.advance(STEP_MS);
    const party = `client of ${name}`;
    const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
    clients.push(new WorldClient(ports, { gateway: world.gatewayAddress, key, model, requestsPerSecond }));
  }
  return clients;
}

async function areAllWhole(world: World): Promise<boolean> {
  for (const { name, rest } of SERVICES) if ((await whyNotWhole(world, name, rest)) !== null) return false;
  return true;
}

function count(requests: readonly WorldRequest[]): Readonly<Record<Outcome, number>> {
  const outcomes: Record<Outcome, number> = { open: 0, complete: 0, refused: 0, "error-event": 0, broken: 0 };
  for (const { outcome } of requests) outcomes[outcome] += 1;
  return outcomes;
}

async function waitUntil(world: World, limitMs: number, isTrue: () => Promise<boolean>): Promise<boolean> {
  const untilMs = world.clock.monotonicMs() + limitMs;
  while (world.clock.monotonicMs() < untilMs) {
    if (await isTrue()) return true;
    await world.clock.advance(STEP_MS);
  }
  return isTrue();
}
