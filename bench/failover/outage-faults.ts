import type { Bench } from "./bench.ts";
import { monotonicMs } from "./monotonic.ts";
import type { SeenInstance } from "./platform-status.ts";
import { seeProcess, signal, type SeenProcess } from "./process-table.ts";

async function instancesOf(bench: Bench, tenant: string): Promise<readonly SeenInstance[]> {
  const services = (await bench.platform.services()) ?? [];
  return services.filter(({ name }) => name === tenant).flatMap(({ instances }) => instances);
}

/** The processes of a tenant's engines on these levels, looked up before they are needed: the control plane may be away at the fault. */
export async function enginesOf(bench: Bench, tenant: string, levels: readonly string[]): Promise<readonly SeenProcess[]> {
  const instances = (await instancesOf(bench, tenant)).filter(({ level }) => levels.includes(level));
  const seen = instances.map(({ pid }) => (pid === null ? null : seeProcess(pid)));
  const found = seen.filter((one) => one !== null);
  if (found.length === 0 || found.length < instances.length) throw new Error(`Not every ${levels.join(" and ")} engine of ${tenant} runs.`);
  return found;
}

/** All at once. @returns when. */
export function killAll(engines: readonly SeenProcess[]): number {
  const atMs = monotonicMs();
  for (const engine of engines) signal(engine, "SIGKILL");
  return atMs;
}

export function killControlPlane(bench: Bench): void {
  const controlPlane = bench.platform.controlPlane();
  if (controlPlane === null) throw new Error("No control plane runs.");
  signal(controlPlane, "SIGKILL");
}

/** The sleeping warm instance, where a fault of its next wake is set. */
export async function sleepingWarm(bench: Bench, tenant: string): Promise<{ readonly endpoint: string }> {
  const warm = (await instancesOf(bench, tenant)).find(({ level, state }) => level === "warm" && state === "Asleep");
  if (warm === undefined || warm.endpoint === null) throw new Error(`${tenant} has no sleeping warm instance.`);
  return { endpoint: warm.endpoint };
}
