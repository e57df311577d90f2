import type { FailoverRecord } from "../api/failover-record.ts";
import { fingerprintOf } from "../failover/desired-instances.ts";
import type { ServiceView } from "./ladder-view.ts";

/** @returns what keeps the service from being as it was configured; null = nothing. */
export function whyNotWhole({ name, config, specGeneration, status }: ServiceView, records: readonly FailoverRecord[]): string | null {
  if (status === null) return "nobody has looked at it yet";
  const { level, phase, instances, pinned, observedGeneration } = status;
  const rest = config.warm?.rest === "asleep" ? "Asleep" : "Ready";
  const fingerprint = fingerprintOf(config.model);
  const isAway = instances.some((one) => one.level === "cold" || one.state !== (one.level === "warm" ? rest : "Ready"));
  const isOld = observedGeneration !== specGeneration || instances.some((one) => one.fingerprint !== fingerprint);
  const open = records.filter((record) => record.service === name && (record.status === null || isOpen(record.status.phase)));
  const isWhole = level === "hot" && phase === "Normal" && pinned === null && !isAway && !isOld && open.length === 0;
  if (isWhole) return null;
  const states = instances.map((one) => `${one.name} ${one.state} (${one.message})`).join(", ");
  const openNames = open.length === 0 ? "" : `; open: ${open.map((record) => record.name).join(", ")}`;
  return `it is on ${level}, ${phase}, pinned ${pinned ?? "nowhere"}${isOld ? ", of an older spec" : ""}: ${states}${openNames}`;
}

const isOpen = (phase: string): boolean => phase === "Requested" || phase === "Running";
