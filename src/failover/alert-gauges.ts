import type { AlertGauge } from "../api/alert-rules.ts";
import type { ServiceStatus } from "../api/service-status.ts";

/** What alert rules and the metrics page say of a stored status. */
export function alertGauges({
  failovers,
  conditions,
}: Pick<ServiceStatus, "failovers" | "conditions">): Readonly<Record<AlertGauge, boolean>> {
  return {
    isHeld: failovers.inWindow >= failovers.max,
    isRedundancyLost: conditions.some((condition) => condition.type === "RedundancyLost" && condition.status === "True"),
  };
}
