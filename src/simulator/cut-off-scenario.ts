import type { ResourceDraft } from "../api/resource.ts";
import { formatViolation } from "./checker.ts";
import { createLadderCheckers, LadderWatch, type JudgedClient } from "./ladder-checks.ts";
import { between, type ScheduledEvent } from "./draw-schedule.ts";
import type { RowReport } from "./row-report.ts";
import { untilWhole } from "./until-whole.ts";
import type { LadderView } from "./ladder-view.ts";
import { lookNow, passWatched } from "./watched-world.ts";
import { whyNotWhole } from "./why-not-whole.ts";
import { WorldClient } from "./world-client.ts";
import { ENGINES } from "./world-engine.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";
import { gatewayName } from "./world-gateway.ts";
import { startWorld, type World } from "./world.ts";

const SERVICES = [
  { name: "tenant-platinum", tier: "platinum", model: "tide-a", hot: 2 },
  { name: "tenant-gold", tier: "gold", model: "tide-b", hot: 1 },
] as const;
const RESOURCES: readonly ResourceDraft[] = [
  ...["gpu-a", "gpu-b", "gpu-c"].map((name, index) => gpuNodeDraft(name, `az-${1 + (index % 2)}`, 2)),
  ...SERVICES.map(({ name, tier, model, hot }) =>
    draft("HotStandbyConfig", name, {
      tenant: name,
      tier,
      model: worldModel(model),
      hotStandby: { gpuCount: hot, memoryReserved: `${hot * 40}GB` },
      warmStandby: { gpuCount: 1, memoryReserved: "20GB", rest: "asleep" },
      failoverPolicy: { failback: { soak: "5s" } },
    }),
  ),
];
const CUT = gatewayName(1);
const CUT_FOR_MS = { min: 4_000, max: 20_000 };
/** After the cut began; a loss may also come right before the end of it. */
const KILL_AFTER_MS = { min: 0, max: 15_000 };
/** Silence, two questions, a wake of 16 GB, and its proof. */
const WAKE_FOUND_MS = 5_000;
const STEP_MS = 100;
const WHOLE_WITHIN_MS = 120_000;
const SETTLE_MS = 20_000;

/** Two or three gateways, one of them cut off from every engine while hot engines die: it activates nothing, and the others do what is needed. */
export async function runCutOffScenario({ seed }: { readonly seed: number }): Promise<RowReport> {
  const world = await startWorld(seed, RESOURCES, { gateways: 2 + (seed % 2), eventsMax: 0 });
  await untilWhole(world);
  const random = world.chance("cut-off");
  const cut = { isOn: false };
  const acts = watchActs(world, () => cut.isOn);
  const watch = new LadderWatch(world, createLadderCheckers());
  const clients = await startClients(world, random.next() < 0.2 ? 0.3 : 3);
  // Half of the worlds have no control plane that could wake anybody instead.
  const isAlone = seed % 4 < 2;
  if (isAlone) await world.stopControlPlane();
  await passWatched({ world, watch }, 3_000, STEP_MS);
  const cutForMs = between(random, CUT_FOR_MS);
  world.network.partition(CUT, ENGINES);
  cut.isOn = true;
  tell(watch, await lookNow({ watch }), "gateway-cut-off", world.clock.monotonicMs() + cutForMs);
  const cutAtMs = world.clock.monotonicMs();
  const killAfterMs = Math.min(between(random, KILL_AFTER_MS), cutForMs);
  await passWatched({ world, watch }, killAfterMs, STEP_MS);
  const killed = SERVICES[Math.floor(random.next() * SERVICES.length)] ?? SERVICES[0];
  for (const { instance } of await world.launcher.observe())
    if (instance.startsWith(`${killed.name}-hot-`)) world.launcher.kill(instance, "SIGKILL");
  await passWatched({ world, watch }, Math.max(0, cutAtMs + cutForMs - world.clock.monotonicMs()), STEP_MS);
  world.network.heal(CUT, ENGINES);
  cut.isOn = false;
  await passWatched({ world, watch }, WAKE_FOUND_MS, STEP_MS);
  for (const { client } of clients) client.stop();
  if (isAlone) await world.startControlPlane();
  const found = await becomesWhole(world, watch);
  await world.clock.advance(SETTLE_MS);
  watch.judge(clients, await lookNow({ watch }));
  found.push(...watch.violations.map(formatViolation), ...acts.cutOff);
  if (isAlone && acts.others === 0) found.push(`${killed.name}: all hot were killed, and no gateway that hears engines woke its sleeper`);
  watch.stop();
  await world.stop();
  return {
    violations: found,
    counts: {
      "activations by the one cut off": acts.cutOff.length,
      "activations by others": acts.others,
      "without a control plane": isAlone ? 1 : 0,
    },
    timesMs: {},
    virtualMs: world.clock.monotonicMs(),
    hash: world.log.hash(),
  };
}

interface Acts {
  /** Everything that the cut-off gateway asked an engine to wake for, while it was cut off. */
  readonly cutOff: readonly string[];
  readonly others: number;
}

/** From the network's own words: who asked an engine to wake. */
function watchActs(world: World, isCut: () => boolean): Acts {
  const cutOff: string[] = [];
  let others = 0;
  world.log.listen(({ event, fields: { from, target, to } }) => {
    if (event !== "network.call" || typeof target !== "string" || !target.startsWith("/wake_up")) return;
    if (from === CUT && isCut() && typeof to === "string")
      cutOff.push(`${(world.clock.monotonicMs() / 1_000).toFixed(3)} s, activation: ${CUT} is cut off and wakes ${to}`);
    else if (typeof from === "string" && from.startsWith("gateway-")) others += 1;
  });
  return {
    cutOff,
    get others() {
      return others;
    },
  };
}

/** Both services are shaken until the cut and the loss are over: one of their gateways answers nobody. */
function tell(watch: LadderWatch, view: LadderView, className: string, untilMs: number): void {
  const scheduled: ScheduledEvent = {
    index: 1,
    className,
    atMs: view.atMs,
    event: { kind: "partition", of: "all", forMs: untilMs - view.atMs },
    aim: 0,
  };
  const services = SERVICES.map(({ name }) => name);
  watch.happened(scheduled, { services, instances: [], untilMs: untilMs + WAKE_FOUND_MS, excused: [], wrongs: [] }, view);
}

async function startClients(
  world: World,
  requestsPerSecond: number,
): Promise<readonly (JudgedClient & { readonly client: WorldClient })[]> {
  const keys = new Map<string, string>();
  for (const { name } of SERVICES) keys.set(name, await world.createKey(name));
  await world.clock.advance(500);
  return SERVICES.flatMap(({ name, model }) =>
    world.gateways.map(({ name: gateway, address }) => {
      const party = `client of ${name} at ${gateway}`;
      const ports = { clock: world.clock, random: world.chance(party), upstream: world.upstreamOf(party), log: world.log };
      const load = { gateway: address, key: keys.get(name) ?? "", model, requestsPerSecond };
      return { service: name, party, client: new WorldClient(ports, load) };
    }),
  );
}

async function becomesWhole(world: World, watch: LadderWatch): Promise<string[]> {
  const untilMs = world.clock.monotonicMs() + WHOLE_WITHIN_MS;
  await passWatched({ world, watch }, WAKE_FOUND_MS, STEP_MS);
  for (;;) {
    const view = await lookNow({ watch });
    const away = view.services.flatMap((service) => whyNotWhole(service, view.records) ?? []);
    if (away.length === 0) return [];
    if (view.atMs >= untilMs) return away.map((why) => `${(view.atMs / 1_000).toFixed(3)} s, liveness: ${why}`);
    await world.clock.advance(1_000);
  }
}
