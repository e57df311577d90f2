import type { ServiceName } from "../base/ids.ts";
import { ACKNOWLEDGE_MAX_MS } from "../failover/decide-instance.ts";
import type { Clock } from "../ports/clock.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { EventLog } from "../ports/event-log.ts";
import { addressOf } from "../routing/build-table.ts";
import type { TableDesk } from "./link-controller.ts";
import { observeEngines, ownerOf } from "./observe-service.ts";
import type { Requeue } from "./requeue.ts";
import type { StandbyMemory } from "./standby-memory.ts";

const LOOK_AGAIN_MS = 100;

/**
 * Ends what is left of a service whose config is gone: no endpoint in its table, every gateway knows, then its table and its engines.
 * Without a table (the control plane was restarted meanwhile) only engines are left: gateways were told that there is no such service.
 * @returns null when nothing is left.
 */
export async function removeService(
  service: ServiceName,
  ports: { readonly launcher: EngineLauncher; readonly clock: Clock; readonly desk: TableDesk; readonly log: EventLog },
  memory: StandbyMemory,
): Promise<Requeue | null> {
  if (!withdrawTable(service, ports, memory)) return { afterMs: LOOK_AGAIN_MS };
  const running = await observeEngines(ports.launcher, service);
  for (const [instance, engine] of running) {
    if (memory.tasks.view(instance)?.kind === "stopping") continue;
    ports.log.record({ level: "info", event: "standby.removed", fields: { service, instance, generation: engine.generation } });
    // After a restart of the control plane the engine's kind is known no longer: it ends without a wait for its streams.
    const engineKind = memory.services.get(service)?.engine ?? null;
    const address = engineKind === null ? null : addressOf(engine.endpoint);
    memory.tasks.drain({ instance, address, engine: engineKind ?? "simulated" });
  }
  if (running.size > 0) return { afterMs: LOOK_AGAIN_MS };
  await memory.records.removeAll(service);
  forget(service, memory);
  return null;
}

/** @returns true when no gateway sends there any more. */
function withdrawTable(service: ServiceName, ports: { readonly clock: Clock; readonly desk: TableDesk }, memory: StandbyMemory): boolean {
  const known = memory.services.get(service);
  const table = known === undefined ? null : ports.desk.tableOf(known.uid);
  if (table === null) return true;
  const sinceMs = memory.removals.get(service) ?? ports.clock.monotonicMs();
  memory.removals.set(service, sinceMs);
  if (table.rungs.some((rung) => rung.endpoints.length > 0)) {
    ports.desk.publish({ ...table, revision: table.revision + 1, rungs: table.rungs.map((rung) => ({ ...rung, endpoints: [] })) });
  }
  const isWaitedFor = ports.clock.monotonicMs() - sinceMs < ACKNOWLEDGE_MAX_MS;
  if (isWaitedFor && !ports.desk.isAcknowledged(table.uid)) return false;
  ports.desk.withdraw(table.uid);
  return true;
}

function forget(service: ServiceName, memory: StandbyMemory): void {
  memory.removals.delete(service);
  memory.services.delete(service);
  for (const map of [memory.exits, memory.reports, memory.activations, memory.memos]) {
    for (const instance of map.keys()) if (ownerOf({ instance }) === service) map.delete(instance);
  }
}
