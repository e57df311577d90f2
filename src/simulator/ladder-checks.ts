import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import type { EngineExit } from "../ports/engine-launcher.ts";
import type { WorldRequest } from "./world-client.ts";
import type { World } from "./world.ts";

/** Ends of engines that only a wrong caller brings about. */
const REQUEST_ASLEEP = "a request came while the engine was asleep";
const WRONG_ENDS = [REQUEST_ASLEEP, "sleep was asked for while a request ran"];

/** Looks at the whole world after every step, from outside; what it finds must never be. */
export interface LadderChecks {
  readonly violations: readonly string[];
  look(): Promise<void>;
  /** Requests, when all have ended. */
  judge(requests: readonly WorldRequest[], excused: ReadonlySet<WorldRequest>): void;
}

export function watchLadder(world: World): LadderChecks {
  const found = new Set<string>();
  world.launcher.onExit((exit: EngineExit) => {
    if (WRONG_ENDS.includes(exit.reason)) found.add(`${exit.instance} generation ${exit.generation} ended: ${exit.reason}.`);
  });
  return {
    get violations() {
      return [...found];
    },
    async look() {
      for (const wrong of [...(await wrongBytes(world)), ...(await wrongGenerations(world))]) found.add(wrong);
    },
    judge(requests, excused) {
      const answers = new Map<string, string>();
      for (const request of requests) {
        const { id, ask, outcome, text, startedAtMs } = request;
        if (outcome === "open") found.add(`Request ${id} of ${startedAtMs} ms never ended.`);
        if (outcome === "broken" && !excused.has(request)) found.add(`Request ${id} of ${startedAtMs} ms ended without a word.`);
        if (outcome !== "complete") continue;
        const known = answers.get(ask) ?? text;
        answers.set(ask, known);
        if (text !== known) found.add(`Request ${id} of ${startedAtMs} ms got another answer than its equals.`);
      }
    },
  };
}

/** No GPU has more on it than it holds, and none is promised to more than it has. */
async function wrongBytes(world: World): Promise<readonly string[]> {
  const [seen, stored] = await Promise.all([world.account.driver.observe(), world.store.list("GPUPartition")]);
  if (!seen.ok || !stored.ok) return [];
  return seen.value.flatMap(({ node, gpu, memoryBytes, holders }) => {
    const usedBytes = holders.reduce((sum, holder) => sum + holder.usedBytes, 0);
    const owners = stored.value.items.filter(({ spec }) => spec["node"] === node && spec["gpu"] === gpu);
    const isShared = owners.length > 1 && owners.some(({ spec }) => spec["mode"] === "exclusive");
    return [
      ...(usedBytes > memoryBytes ? [`GPU ${node}/${gpu} holds ${usedBytes} of ${memoryBytes} bytes.`] : []),
      ...(isShared ? [`GPU ${node}/${gpu} is exclusive, and has ${owners.map(({ name }) => name).join(" and ")}.`] : []),
    ];
  });
}

/** Of each instance one process lives, and the others that still hold bytes are dead. */
async function wrongGenerations(world: World): Promise<readonly string[]> {
  const living = new Set<string>();
  const wrong: string[] = [];
  for (const { instance, generation } of await world.launcher.observe()) {
    if (living.has(instance)) wrong.push(`${instance} lives twice, now as generation ${generation}.`);
    living.add(instance);
  }
  return wrong;
}

/** @returns what keeps the service from being as it was configured; null = nothing. */
export async function whyNotWhole(
  world: World,
  service: string,
  rest: ServiceStatus["instances"][number]["state"],
): Promise<string | null> {
  const stored = await world.store.get("HotStandbyConfig", service);
  if (!stored.ok) return `${service} is not stored.`;
  const status = parseServiceStatus(stored.value.status);
  if (!status.ok) return `The status of ${service} cannot be read.`;
  const { level, phase, instances, pinned } = status.value;
  const away = instances.filter((one) => one.state !== (one.level === "warm" ? rest : "Ready"));
  const isWhole = level === "hot" && phase === "Normal" && away.length === 0 && instances.every((one) => one.level !== "cold");
  if (isWhole) return null;
  const states = instances.map(({ name, state, message }) => `${name} ${state} (${message})`).join(", ");
  return `${service} is on ${level}, ${phase}, pinned ${pinned ?? "nowhere"}: ${states}.`;
}
