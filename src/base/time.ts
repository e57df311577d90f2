import { wallMs, type WallMs } from "./ids.ts";

/** RFC 3339 in UTC with milliseconds, as Kubernetes shows times. */
export function formatWall(at: WallMs): string {
  if (at !== last.at) last = { at, text: new Date(at).toISOString() };
  return last.text;
}
/** What is told of one moment tells its time again and again. */
let last = { at: wallMs(0), text: "1970-01-01T00:00:00.000Z" };

/** @returns null when `text` is no RFC 3339 time. */
export function parseWall(text: string): WallMs | null {
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? null : wallMs(milliseconds);
}

/** Such as `1m30s`, `500ms`, `0s`: the form that manifests use. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  if (durationMs % 1_000 !== 0) return `${Math.round(durationMs)}ms`;
  const units = [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
  ] as const;
  let rest = durationMs;
  let text = "";
  for (const [unit, unitMs] of units) {
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return text;
}
