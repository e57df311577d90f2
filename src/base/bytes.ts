export const KB = 1_000;
export const MB = 1_000_000;
export const GB = 1_000_000_000;
export const MiB = 1_048_576;
export const GiB = 1_073_741_824;

/** Decimal units, at most one digit after the point: `40 GB`, `2.7 GB`, `512 B`. */
export function formatBytes(bytes: number): string {
  const units = [
    ["TB", GB * 1_000],
    ["GB", GB],
    ["MB", MB],
    ["KB", KB],
  ] as const;
  for (const [unit, size] of units) {
    if (Math.abs(bytes) >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} B`;
}
