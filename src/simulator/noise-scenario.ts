import type { ResourceDraft } from "../api/resource.ts";
import { assert } from "../base/assert.ts";
import { formatViolation } from "./checker.ts";
import { HealthyNoise } from "./healthy-noise.ts";
import { createLadderCheckers, LadderWatch } from "./ladder-checks.ts";
import { hardFaultOf, injectHardFault, RESET_FOR_MS, type HardFault } from "./noise-fault.ts";
import type { LadderClient } from "./perform-event.ts";
import type { RowReport } from "./row-report.ts";
import { untilWhole } from "./until-whole.ts";
import { passWatched } from "./watched-world.ts";
import { WorldClient, type WorldRequest } from "./world-client.ts";
import { gatewayName } from "./world-gateway.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

export interface NoiseScenario {
  readonly seed: number;
  /** How long nothing is broken, before one hard fault. */
  readonly calmMs: number;
}

const SERVICE = "tenant-platinum";
const MODEL = "tide-a";
const RESOURCES: readonly ResourceDraft[] = [
  gpuNodeDraft("gpu-a", "az-1", 2),
  gpuNodeDraft("gpu-b", "az-2", 2),
  draft("HotStandbyConfig", SERVICE, {
    tenant: SERVICE,
    tier: "platinum",
    model: worldModel(MODEL),
    hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
    warmStandby: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" },
    failoverPolicy: { failback: { soak: "5s" } },
  }),
];
/** Few, so that a thousand hours are affordable; each engine works a third of the time. */
const CALM_PER_SECOND = 0.5;
/** When a fault comes every engine has work, so that its silence can be seen. */
const BUSY_PER_SECOND = 6;
const LOOK_EVERY_MS = 10_000;
/** The slowest answer: 48 steps, most of them short. */
const SETTLE_MS = 60_000;

/** A platform that is well and noisy for a long time, and in which then one thing breaks: nobody moves for nothing, and the fault is found. */
export async function runNoiseScenario({ seed, calmMs }: NoiseScenario): Promise<RowReport> {
  const noise = new HealthyNoise(seed);
  const world = await startWorld(seed, RESOURCES, { eventsMax: 0, noise });
  const acts = watchActs(world);
  await untilWhole(world, 120_000);
  const key = await world.createKey(SERVICE);
  const watch = new LadderWatch(world, createLadderCheckers());
  await world.clock.advance(1_000);
  const found: string[] = acts.take().map((act) => `at the start, ${act}`);
  noise.start(world);
  const calm = startClient(world, key, "calm", CALM_PER_SECOND);
  await passWatched({ world, watch }, calmMs, LOOK_EVERY_MS);
  found.push(...acts.take(), ...(await restless(watch)));

  const fault = hardFaultOf(seed);
  const busy = startClient(world, key, "busy", BUSY_PER_SECOND);
  const met = await injectHardFault(fault, { world, noise, watch });
  found.push(...met.wrongs);
  for (const { client } of [calm, busy]) client.stop();
  noise.stop();
  await world.clock.advance(SETTLE_MS);
  const requests = [calm, busy].flatMap(({ client }) => client.requests);
  // What was sent before the fault, and waited while the gateway stood still, begins a stream after it.
  const mayBeginUntilMs = noise.gatewayBackFrom(met.brokenAtMs + CUT_WITHIN_MS[fault]) + HEARD_WITHIN_MS;
  found.push(...requests.flatMap((request) => lostOf(request, mayBeginUntilMs)));
  const view = await watch.look();
  if (view !== null) watch.judge([calm, busy], view);
  found.push(...watch.violations.map(formatViolation));
  watch.stop();
  await world.stop();
  return {
    violations: found,
    counts: {
      ...noise.counts,
      requests: requests.length,
      "calm seconds": Math.round(calmMs / 1_000),
      "wakes for overflow": acts.wakes.saturated,
      "wakes on suspicion": acts.wakes.suspected,
      [`fault ${fault}`]: 1,
    },
    timesMs: met.foundAfterMs === null ? {} : { [fault]: [met.foundAfterMs] },
    virtualMs: world.clock.monotonicMs(),
    hash: world.log.hash(),
  };
}

function startClient(world: World, key: string, name: string, requestsPerSecond: number): LadderClient {
  const party = `${name} client`;
  const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
  return {
    service: SERVICE,
    party,
    gateway: gatewayName(0),
    client: new WorldClient(ports, { gateway: world.gatewayAddress, key, model: MODEL, requestsPerSecond }),
  };
}

/** Events that mean that somebody took noise for a fault. A wake for overflow or on suspicion is none: it adds an engine, and moves nobody. */
const ACTS = ["gateway.ejected", "gateway.wake-begun", "gateway.suspects-itself", "standby.engine-ended"];

interface Acts {
  take(): readonly string[];
  /** How often a sleeper was woken for each cause that moves nobody. */
  readonly wakes: Readonly<Record<"saturated" | "suspected", number>>;
}

function watchActs(world: World): Acts {
  let seen: string[] = [];
  const wakes = { saturated: 0, suspected: 0 };
  world.log.listen(({ event, fields }) => {
    const { because } = fields;
    if (event === "gateway.wake-begun" && (because === "saturated" || because === "suspected")) wakes[because] += 1;
    else if (ACTS.includes(event)) seen.push(`${(world.clock.monotonicMs() / 1_000).toFixed(3)} s, ${event}: ${JSON.stringify(fields)}`);
  });
  return {
    take: () => {
      const taken = seen;
      seen = [];
      return taken;
    },
    wakes,
  };
}

/** After the calm the service is as it was at the start: same level, same epoch, nothing counted, every engine its first. */
async function restless(watch: LadderWatch): Promise<readonly string[]> {
  const view = await watch.look();
  const status = view?.services[0]?.status ?? null;
  assert(view !== null && status !== null, "the service is stored");
  const at = `${(view.atMs / 1_000).toFixed(3)} s`;
  const { level, epoch, failovers, instances } = status;
  return [
    ...(level === "hot" && Number(epoch) <= 1 ? [] : [`${at}, level: ${level} at epoch ${epoch}`]),
    ...(failovers.inWindow === 0 ? [] : [`${at}, counted moves: ${failovers.inWindow}`]),
    ...instances.filter(({ generation }) => generation !== 1).map(({ name, generation }) => `${at}, restart: ${name} at ${generation}`),
  ];
}

/** Everything ends complete, but for streams that the broken engine had begun. */
function lostOf({ id, outcome, firstByteAtMs, startedAtMs }: WorldRequest, mayBeginUntilMs: number): readonly string[] {
  if (outcome === "complete") return [];
  const isCut = outcome === "error-event" && firstByteAtMs !== null && firstByteAtMs <= mayBeginUntilMs;
  return isCut ? [] : [`${(startedAtMs / 1_000).toFixed(3)} s, lost: request ${id} ended as ${outcome}`];
}

/** From the gateway to its client. */
const HEARD_WITHIN_MS = 5;

/** So long after the fault the broken engine may still begin streams: an order takes a moment, and who resets goes on doing so. */
const CUT_WITHIN_MS: Readonly<Record<HardFault, number>> = { kill: 1, freeze: 1, hang: 10, "gpu-lost": 250, reset: RESET_FOR_MS };
