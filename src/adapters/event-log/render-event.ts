import type { WallMs } from "../../base/ids.ts";
import { formatWall } from "../../base/time.ts";
import type { LoggedEvent } from "../../ports/event-log.ts";

/** Longest line: a text of somebody else's cannot fill the log. */
const LINE_CHARACTERS_MAX = 16_384;

/** One JSON line without its line end. Control characters of any kind are escaped, so that no value can forge a line or steer a terminal. */
export function renderEvent({ level, event, fields }: LoggedEvent, at: WallMs): string {
  const own = { at: formatWall(at), level, event };
  const line = escapeControls(JSON.stringify({ ...own, ...fields, ...own }));
  if (line.length <= LINE_CHARACTERS_MAX) return line;
  return escapeControls(JSON.stringify({ ...own, truncated: line.slice(0, LINE_CHARACTERS_MAX / 4) }));
}

// JSON escapes C0 by itself; DEL, C1, and what turns the reading direction or breaks lines in some viewers are left.
const UNSAFE = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const escapeControls = (json: string): string =>
  json.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
