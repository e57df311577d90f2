import { z } from "zod";
import { isJsonObject, type JsonObject } from "../base/json.ts";
import { coldStandby, hotStandby, warmStandby } from "./hot-standby-config-schema.ts";
import type { LevelKey } from "./reservation-conflict.ts";
import { label } from "./schema-parts.ts";

export const LEVEL_KEYS: readonly LevelKey[] = ["hotStandby", "warmStandby", "coldStandby"];
// A site's tenants are hundreds; the text's own limits are far lower than this many full entries.
const TENANTS_MAX = 1_000;

const reservationEntry = z.strictObject({
  name: label(),
  hotStandby: hotStandby.optional(),
  warmStandby: warmStandby.optional(),
  coldStandby: coldStandby.optional(),
});
export type ReservationEntry = z.output<typeof reservationEntry>;

/** The shape of `reservation.yaml`: one entry for each tenant or service, levels as in a HotStandbyConfig. */
export const reservationSpec = z.strictObject({ tenants: z.array(reservationEntry).max(TENANTS_MAX) });

/** An entry as the apply door stored it beside a config; null = it is of another version, and says nothing. */
export function parseReservationEntry(text: string): { readonly raw: JsonObject; readonly entry: ReservationEntry } | null {
  try {
    const raw: unknown = JSON.parse(text);
    const read = reservationEntry.safeParse(raw);
    return read.success && isJsonObject(raw) ? { raw, entry: read.data } : null;
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw cause;
  }
}
