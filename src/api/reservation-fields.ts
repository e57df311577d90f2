import { fieldOf, LABEL_FORM, type Field } from "./field.ts";
import { hotStandbyConfigFields } from "./hot-standby-config-fields.ts";
import { LEVEL_KEYS } from "./reservation-schema.ts";

const ENTRY = "data.reservation.yaml.tenants[]";

/** The fields of an entry are those of a HotStandbyConfig's levels: they mean the same, and are said in the same words. */
export const reservationFields: readonly Field[] = [
  fieldOf({
    path: `${ENTRY}.name`,
    form: LABEL_FORM,
    example: "tenant-gold",
    meaning: "The HotStandbyConfig of this name, else the only one of this tenant; where there is none, one with every default is derived.",
    fallback: null,
  }),
  ...hotStandbyConfigFields
    .filter(({ path }) => LEVEL_KEYS.some((level) => path.startsWith(`spec.${level}.`)))
    .map((field): Field => ({ ...field, path: field.path.replace(/^spec/, ENTRY) })),
];
