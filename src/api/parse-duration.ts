import { err, ok, type Result } from "../base/result.ts";
import type { UnreadableText } from "./parse-quantity.ts";

// Longer promises than a year mean a slip of the unit.
const DURATION_MAX_MS = 366 * 24 * 3_600_000;

/** Milliseconds of `5s`, `1m30s`, `500ms`, `1h`: whole numbers, largest unit first. */
export function parseDuration(text: string): Result<number, UnreadableText> {
  const why = "A duration is made of whole numbers with h, m, s or ms, largest first.";
  if (text.startsWith("-")) return err({ code: "NEGATIVE", why: "A duration cannot be negative.", next: `Write ${text.slice(1, 40)}.` });
  const match = /^(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,12})ms)?$/.exec(text);
  if (match === null || text === "") {
    const number = /^\d{1,9}/.exec(text)?.[0] ?? null;
    const code = number === null || text.includes(" ") ? "WRONG_FORMAT" : "WRONG_UNIT";
    return err({ code, why, next: number === null ? "Write it as 5s, 1m30s or 500ms." : `Write ${number}${likelyUnit(text)}.` });
  }
  const [, hours = "0", minutes = "0", seconds = "0", milliseconds = "0"] = match;
  const durationMs = Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1_000 + Number(milliseconds);
  if (durationMs > DURATION_MAX_MS)
    return err({ code: "OUT_OF_RANGE", why: "No duration may be longer than a year.", next: "Write a shorter one." });
  return ok(durationMs);
}

/** `5sec`, `5 minutes`, `5 Hours` and a bare `5` each have one most likely meaning. */
function likelyUnit(text: string): string {
  const word = /[a-z]+/.exec(text.toLowerCase())?.[0] ?? "s";
  if (word.startsWith("ms") || word.startsWith("mil")) return "ms";
  return /^[hm]/.exec(word)?.[0] ?? "s";
}
