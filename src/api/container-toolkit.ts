/** Three numbers and nothing else, as `nvidia-ctk --version` says it. */
export const TOOLKIT_PATTERN = /^\d{1,4}\.\d{1,4}\.\d{1,4}$/;
export const TOOLKIT_FORM = "a version of three numbers";

/** Up to 1.17.7 a container can get out onto its host (CVE-2025-23266), and so to its neighbours' GPUs. */
export const TOOLKIT_LEAST = "1.17.8";

/** @param version as `TOOLKIT_PATTERN` has it. */
export function isToolkitUnsafe(version: string): boolean {
  const least = TOOLKIT_LEAST.split(".").map(Number);
  const numbers = version.split(".").map(Number);
  const at = least.findIndex((number, index) => number !== numbers[index]);
  return at >= 0 && (numbers[at] ?? 0) < (least[at] ?? 0);
}
