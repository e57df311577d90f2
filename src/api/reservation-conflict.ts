export type LevelKey = "hotStandby" | "warmStandby" | "coldStandby";

/** One thing of which the reservation says something else than the config. */
export interface ReservationConflict {
  readonly level: LevelKey;
  /** null = the whole level: the config has none. */
  readonly field: string | null;
  readonly configured: string;
  readonly reserved: string;
}

/** What became of a config's entry in the reservation. */
export interface ReservationMatch {
  /** Levels that the config does not write and the entry does. */
  readonly filled: readonly LevelKey[];
  readonly conflicts: readonly ReservationConflict[];
}

export const formatConflict = ({ level, field, configured, reserved }: ReservationConflict): string =>
  `${field === null ? level : `${level}.${field}`} is ${configured}, and ${reserved} in the reservation`;
