import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import { formatConflict } from "../api/reservation-conflict.ts";
import type { Condition } from "../api/resource.ts";

// More is not read: the place of each is in the warnings of `validate` and `apply`.
const CONFLICTS_TOLD_MAX = 5;

/** Condition `ReservationConflict`: only of a service that the ConfigMap standby-gpu-reservation has a say in. */
export function reservationFacts({ reservation }: Pick<HotStandbyConfig, "reservation">): readonly Omit<Condition, "lastTransitionTime">[] {
  if (reservation === null) return [];
  const type = "ReservationConflict";
  const { conflicts, filled } = reservation;
  if (conflicts.length === 0) {
    return [
      { type, status: "False", reason: "Filled", message: `The reservation gives ${filled.join(", ")}, which the config does not write.` },
    ];
  }
  const told = conflicts.slice(0, CONFLICTS_TOLD_MAX).map(formatConflict).join("; ");
  return [{ type, status: "True", reason: "ConfigWins", message: `The config wins over standby-gpu-reservation: ${told}.` }];
}
