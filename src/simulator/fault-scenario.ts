import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ResourceDraft } from "../api/resource.ts";
import { assert } from "../base/assert.ts";
import { instanceName } from "../base/ids.ts";
import { WorldClient, type Outcome, type WorldRequest } from "./world-client.ts";
import { partyOf } from "./world-engine.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { startWorld, type World } from "./world.ts";

/** kill as SIGKILL, freeze as SIGSTOP, hang = no engine step any more while health and metrics answer. */
export const SCENARIO_FAULTS = ["kill", "freeze", "hang"] as const;
export type ScenarioFault = (typeof SCENARIO_FAULTS)[number];

export interface FaultScenario {
  readonly seed: number;
  readonly fault: ScenarioFault;
  /** The control plane stops before the fault, and starts again after the load. */
  readonly isControlPlaneAway: boolean;
  /** How long requests are started; the fault comes in the middle. */
  readonly loadMs: number;
  readonly requestsPerSecond: number;
}

export interface FaultReport {
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** What must never be: empty in a good run. */
  readonly violations: readonly string[];
  /** Longest time from the fault to the end of a stream that it cut; null = it cut none. */
  readonly slowestErrorEventMs: number | null;
  readonly virtualMs: number;
  /** Of every event: equal for equal seeds. */
  readonly hash: string;
  /** The events as text, made when it is asked for. */
  readonly log: string;
}

const SERVICE = "tenant-gold";
const VICTIM = instanceName(`${SERVICE}-hot-1`);
/** Longer than any run: only an end of the engine ends it. */
const HANG_MS = 600_000;
/** Loads take 1.5 s at these rates. */
const READY_WITHIN_MS = 20_000;
/** After the load: the longest answer, the detection of what is silent, and the restart of the victim. */
const SETTLE_MS = 20_000;

const RESOURCES: readonly ResourceDraft[] = [
  gpuNodeDraft("gpu-a", "az-1", 2),
  gpuNodeDraft("gpu-b", "az-1", 2),
  gpuNodeDraft("gpu-c", "az-2", 2),
  draft("HotStandbyConfig", SERVICE, {
    tenant: SERVICE,
    tier: "platinum",
    model: worldModel("tide-8b"),
    hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
    warmStandby: { gpuCount: 1, memoryReserved: "40GB" },
  }),
];

/** Two hot instances under load, a fault in one of them: nobody loses an answer without a word, and the instance comes back. */
export async function runFaultScenario({
  seed,
  fault,
  isControlPlaneAway,
  loadMs,
  requestsPerSecond,
}: FaultScenario): Promise<FaultReport> {
  const world = await startWorld(seed, RESOURCES);
  const key = await world.createKey(SERVICE);
  await waitUntil(world, READY_WITHIN_MS, async () => (await generationWhenReady(world)) !== null);
  const client = new WorldClient(
    { clock: world.clock, random: world.chance("client"), upstream: world.upstreamOf("client"), log: world.log },
    { gateway: world.gatewayAddress, key, model: "tide-8b", requestsPerSecond },
  );
  if (isControlPlaneAway) await world.stopControlPlane();
  // Not at a round time: between two steps, in the middle of a chunk, before a head.
  await world.clock.advance(loadMs / 2 + world.chance("fault").next() * 100);
  const faultAtMs = world.clock.monotonicMs();
  await inject(world, fault);
  await world.clock.advance(loadMs / 2);
  client.stop();
  if (isControlPlaneAway) await world.startControlPlane();
  const hasSettled = await waitUntil(world, SETTLE_MS, async () => client.openCount === 0 && (await generationWhenReady(world)) === 2);
  await world.stop();
  return report(world, client.requests, { faultAtMs, hasSettled });
}

async function inject(world: World, fault: ScenarioFault): Promise<void> {
  const victim = (await world.launcher.observe()).find(({ instance }) => instance === VICTIM);
  assert(victim !== undefined, "the victim runs");
  switch (fault) {
    case "kill":
      assert(world.launcher.kill(VICTIM, "SIGKILL"), "the victim is killed");
      return;
    case "freeze":
      return world.network.freeze(partyOf(VICTIM, victim.generation));
    case "hang": {
      const body = new TextEncoder().encode(JSON.stringify({ fault: { kind: "hang" }, forMs: HANG_MS }));
      const request = { method: "POST", target: "/tidegate/faults", headers: ["content-type", "application/json"], body } as const;
      world.upstreamOf("drill").call(victim.address, request, {
        head: (status) => assert(status === 200, "the fault is taken"),
        data: (lent) => assert(lent.byteLength > 0, "the engine answers"),
        end: () => world.log.record({ level: "info", event: "scenario.hangs", fields: { instance: VICTIM } }),
        failed: ({ code }) => assert(false, `the fault arrives, and not ${code}`),
      });
    }
  }
}

function report(
  world: World,
  requests: readonly WorldRequest[],
  { faultAtMs, hasSettled }: { readonly faultAtMs: number; readonly hasSettled: boolean },
): FaultReport {
  const outcomes: Record<Outcome, number> = { open: 0, complete: 0, refused: 0, "error-event": 0, broken: 0, left: 0 };
  const answers = new Map<string, string>();
  const violations = hasSettled ? [] : [`${VICTIM} is not Ready again, or a request is open, ${SETTLE_MS} ms after the load.`];
  for (const request of requests) {
    outcomes[request.outcome] += 1;
    violations.push(...wrongsOf(request, faultAtMs));
    if (request.outcome !== "complete") continue;
    const known = answers.get(request.ask) ?? request.text;
    answers.set(request.ask, known);
    if (request.text !== known) violations.push(`Request ${request.id} got another answer than its equals.`);
  }
  if (world.network.openCount() > 0) violations.push(`${world.network.openCount()} connections are left open.`);
  const cutMs = requests.filter(({ outcome }) => outcome === "error-event").map(({ endedAtMs }) => (endedAtMs ?? 0) - faultAtMs);
  return {
    outcomes,
    violations,
    slowestErrorEventMs: cutMs.length === 0 ? null : Math.max(...cutMs),
    virtualMs: world.clock.monotonicMs(),
    hash: world.log.hash(),
    get log() {
      return world.log.text();
    },
  };
}

function wrongsOf({ id, outcome, isStream, firstByteAtMs }: WorldRequest, faultAtMs: number): readonly string[] {
  if (outcome === "complete") return [];
  if (outcome === "error-event" && isStream && firstByteAtMs !== null && firstByteAtMs <= faultAtMs) return [];
  return [`Request ${id} ended as ${outcome}, first byte at ${firstByteAtMs} ms; the fault was at ${faultAtMs} ms.`];
}

/** @returns the victim's generation when every instance serves or rests. */
async function generationWhenReady(world: World): Promise<number | null> {
  const stored = await world.store.get("HotStandbyConfig", SERVICE);
  const status = stored.ok ? parseServiceStatus(stored.value.status) : null;
  if (status === null || !status.ok) return null;
  const { instances } = status.value;
  const areAllUp = instances.length === 3 && instances.every(({ state }) => state === "Ready" || state === "Asleep");
  return areAllUp ? (instances.find(({ name }) => name === VICTIM)?.generation ?? null) : null;
}

async function waitUntil(world: World, limitMs: number, isTrue: () => Promise<boolean>): Promise<boolean> {
  const untilMs = world.clock.monotonicMs() + limitMs;
  while (world.clock.monotonicMs() < untilMs) {
    if (await isTrue()) return true;
    await world.clock.advance(100);
  }
  return isTrue();
}
