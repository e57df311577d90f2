import type { ResourceDraft } from "../api/resource.ts";
import { formatViolation } from "./checker.ts";
import { createLadderCheckers, LadderWatch } from "./ladder-checks.ts";
import type { LadderClient } from "./perform-event.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient } from "./world-client.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { gatewayName } from "./world-gateway.ts";
import { startWorld, type World } from "./world.ts";

export interface SpeedReport {
  readonly virtualMs: number;
  readonly requestCount: number;
  readonly completeCount: number;
  /** What must never be: a fast world that does not work measures nothing. */
  readonly violations: readonly string[];
  readonly hash: string;
}

/** A world that serves; `run` is what is measured. */
export interface SpeedWorld {
  /** So much load before it, by which the machine learns the program: what is compiled once is not what a long run costs. */
  warmUp(loadMs: number): Promise<void>;
  /** Once, at last. */
  run(loadMs: number): Promise<SpeedReport>;
}

/** Each with three hot instances and a resident warm one: twelve in all. */
const SERVICES = [
  { name: "tenant-platinum", tier: "platinum", model: "tide-a" },
  { name: "tenant-gold", tier: "gold", model: "tide-b" },
  { name: "tenant-silver", tier: "silver", model: "tide-c" },
] as const;
const NODES = ["gpu-a", "gpu-b", "gpu-c", "gpu-d"];
const GPUS_PER_NODE = 4;
const HOT_COUNT = 3;
const RESOURCES: readonly ResourceDraft[] = [
  ...NODES.map((node, index) => gpuNodeDraft(node, `az-${1 + (index % 2)}`, GPUS_PER_NODE)),
  ...SERVICES.map(({ name, tier, model }) =>
    draft("HotStandbyConfig", name, {
      tenant: name,
      tier,
      model: worldModel(model),
      hotStandby: { gpuCount: HOT_COUNT, memoryReserved: `${HOT_COUNT * 40}GB` },
      warmStandby: { gpuCount: 1, memoryReserved: "40GB" },
    }),
  ),
];
/** All services together. */
const REQUESTS_PER_SECOND = 2;
/** About 64 tokens with what a chat adds. */
const PROMPTS = ["tide", "moon", "wave"].map((word) => Array.from({ length: 58 }, () => word).join(" "));
const TOKENS_MAX = [16];
const READY_WITHIN_MS = 30_000;
const CHECK_EVERY_MS = 250;
const SETTLE_MS = 5_000;

/** The world that simulation speed is told of: 3 services, 12 instances, 2 requests a second, checks on, no event kept but in the hash. */
export async function startSpeedWorld(seed: number): Promise<SpeedWorld> {
  const world = await startWorld(seed, RESOURCES, { eventsMax: 0 });
  const watch = new LadderWatch(world, createLadderCheckers());
  for (let waitedMs = 0; waitedMs < READY_WITHIN_MS && (await whyNot(watch)).length > 0; waitedMs += CHECK_EVERY_MS)
    await world.clock.advance(CHECK_EVERY_MS);
  const clients: LadderClient[] = [];
  const serve = async (loadMs: number): Promise<void> => {
    if (clients.length === 0) for (const { name, model } of SERVICES) clients.push(await startClient(world, name, model));
    const untilMs = world.clock.monotonicMs() + loadMs;
    while (world.clock.monotonicMs() < untilMs) {
      await world.clock.advance(CHECK_EVERY_MS);
      await watch.look();
    }
  };
  return {
    warmUp: serve,
    run: async (loadMs) => {
      const startedMs = world.clock.monotonicMs();
      await serve(loadMs);
      for (const { client } of clients) client.stop();
      await world.clock.advance(SETTLE_MS);
      const virtualMs = world.clock.monotonicMs() - startedMs;
      const away = await whyNot(watch);
      const view = await watch.look();
      if (view !== null) watch.judge(clients, view);
      const violations = [...watch.violations.map(formatViolation), ...away];
      const requests = clients.flatMap(({ client }) => client.requests);
      for (const { id, outcome, startedAtMs } of requests)
        if (outcome !== "complete") violations.push(`Request ${id} of ${startedAtMs} ms ended as ${outcome}.`);
      const hash = world.log.hash();
      watch.stop();
      await world.stop();
      return {
        virtualMs,
        requestCount: requests.length,
        completeCount: requests.filter(({ outcome }) => outcome === "complete").length,
        violations,
        hash,
      };
    },
  };
}

async function startClient(world: World, name: string, model: string): Promise<LadderClient> {
  const key = await world.createKey(name);
  await world.clock.advance(CHECK_EVERY_MS);
  const party = `client of ${name}`;
  const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
  const requestsPerSecond = REQUESTS_PER_SECOND / SERVICES.length;
  const load = { gateway: world.gatewayAddress, key, model, requestsPerSecond, prompts: PROMPTS, tokensMax: TOKENS_MAX };
  return { service: name, party, gateway: gatewayName(0), client: new WorldClient(ports, load) };
}

async function whyNot(watch: LadderWatch): Promise<readonly string[]> {
  const view = await watch.look();
  if (view === null || view.services.length < SERVICES.length) return ["Not every service is stored."];
  return view.services.flatMap((service) => {
    const why = whyNotWhole(service, view.records);
    return why === null ? [] : [`${service.name}: ${why}.`];
  });
}
