import { generation, instanceName, uid } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import type { RunningEngine } from "../../ports/engine-launcher.ts";

/** What a restarted control plane has to know of an engine that runs. */
export const aboutEngine = (engine: Omit<RunningEngine, "pid">): JsonObject => ({
  instance: engine.instance,
  uid: engine.uid,
  generation: engine.generation,
  host: engine.address.host,
  port: engine.address.port,
});

/** @returns null when the record is not one of an engine. */
export function engineOf(about: JsonObject, pid: number): RunningEngine | null {
  const { instance, uid: id, generation: count, host, port } = about;
  if (typeof instance !== "string" || typeof id !== "string" || typeof host !== "string") return null;
  if (typeof count !== "number" || typeof port !== "number") return null;
  return { instance: instanceName(instance), uid: uid(id), generation: generation(count), address: { host, port }, pid };
}
