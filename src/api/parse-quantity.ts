import { err, ok, type Result } from "../base/result.ts";
import { nearestName } from "./nearest-name.ts";

export interface UnreadableText {
  readonly code: "WRONG_UNIT" | "NEGATIVE" | "WRONG_FORMAT" | "OUT_OF_RANGE";
  readonly why: string;
  readonly next: string;
}

// Decimal and binary, as Kubernetes writes them, and the everyday GB. `GB` and `G` are the same 10^9 bytes.
const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  K: 1e3,
  KB: 1e3,
  M: 1e6,
  MB: 1e6,
  G: 1e9,
  GB: 1e9,
  T: 1e12,
  TB: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};
const UNITS = Object.keys(UNIT_BYTES);

/** Bytes of `80GB`, `80G`, `80Gi`, `512Mi`, `1.5TB`: always whole and never negative. */
export function parseQuantity(text: string): Result<number, UnreadableText> {
  const match = /^(-?)(\d{1,16}(?:\.\d{1,9})?)([A-Za-z]*)$/.exec(text);
  if (match === null) {
    return err({ code: "WRONG_FORMAT", why: "A quantity is a number and a unit without a space.", next: "Write it as 80GB, 80G or 80Gi." });
  }
  const [, sign = "", digits = "", unit = ""] = match;
  const unitBytes = UNIT_BYTES[unit];
  if (unitBytes === undefined) return err(wrongUnit(digits, unit));
  if (sign === "-") return err({ code: "NEGATIVE", why: "Bytes cannot be negative.", next: `Write ${digits}${unit}.` });
  const bytes = Number(digits) * unitBytes;
  if (!Number.isSafeInteger(bytes)) {
    return err({
      code: "OUT_OF_RANGE",
      why: "It is no whole number of bytes below 2^53.",
      next: "Write a smaller number, or one without a fraction.",
    });
  }
  return ok(bytes);
}

function wrongUnit(digits: string, unit: string): UnreadableText {
  const why = `Units are ${UNITS.join(", ")}: GB = G = 10^9 bytes, Gi = 2^30 bytes.`;
  if (unit === "") return { code: "WRONG_UNIT", why, next: `Write the unit too, such as ${digits}GB or ${digits}Gi.` };
  // GiB and its kin mean the binary unit, not the decimal one that is as near by letters.
  const nearest = /^[kmgt]ib$/i.test(unit) ? `${unit.slice(0, 1).toUpperCase()}i` : nearestName(unit, UNITS);
  return { code: "WRONG_UNIT", why, next: `Write ${digits}${nearest ?? "GB"}.` };
}

/** The shortest exact form that `parseQuantity` reads back to the same bytes. */
export function formatQuantity(bytes: number): string {
  for (const unit of ["TB", "Ti", "GB", "Gi", "MB", "Mi", "KB", "Ki"]) {
    const unitBytes = UNIT_BYTES[unit] ?? 1;
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return `${bytes}B`;
}
