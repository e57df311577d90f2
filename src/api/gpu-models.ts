import { GB } from "../base/bytes.ts";

/** Models that messages suggest; any name that ends in its memory is accepted. */
export const GPU_MODELS: readonly string[] = [
  "A10-24GB",
  "A100-40GB",
  "A100-80GB",
  "B200-192GB",
  "B300-288GB",
  "H100-80GB",
  "H200-141GB",
  "L4-24GB",
  "L40S-48GB",
  "T4-16GB",
];

/** Bytes that a model's name tells: `H100-80GB` = 80 x 10^9. null = the name does not end in its memory. */
export function gpuMemoryBytes(model: string): number | null {
  const gigabytes = /^[A-Za-z][A-Za-z0-9-]{0,60}-([1-9]\d{0,3})GB$/.exec(model)?.[1];
  return gigabytes === undefined ? null : Number(gigabytes) * GB;
}
