import { randomBytes } from "node:crypto";
import type { Random } from "../../ports/random.ts";

/** Chance from the machine; tokens from its cryptographic source. */
export const createSystemRandom = (): Random => ({
  next: () => Math.random(),
  token: (byteCount) => randomBytes(byteCount).toString("hex"),
});
