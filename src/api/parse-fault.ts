import { z } from "zod";
import { err, ok, type Result } from "../base/result.ts";
import { dataProblems } from "./data-problems.ts";
import { GRABBED_BYTES_MAX, type Fault } from "./fault.ts";
import type { Problem } from "./problem.ts";

const afterTokens = z.int().min(0).max(1_000_000);
// Slower than a thousandth is a hang, and has its own kind.
const factor = z.number().min(1).max(1_000);

const fault = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("crash") }),
  z.strictObject({ kind: z.literal("hang") }),
  z.strictObject({ kind: z.literal("stall"), afterTokens }),
  z.strictObject({ kind: z.literal("slow"), factor }),
  z.strictObject({ kind: z.literal("error-ratio"), ratio: z.number().min(0).max(1) }),
  z.strictObject({ kind: z.literal("truncate"), afterTokens }),
  z.strictObject({ kind: z.literal("reset"), afterTokens }),
  z.strictObject({ kind: z.literal("garbage-after-wake") }),
  z.strictObject({ kind: z.literal("failed-wake") }),
  z.strictObject({ kind: z.literal("slow-wake"), factor }),
  z.strictObject({ kind: z.literal("ignores-share") }),
  z.strictObject({ kind: z.literal("grabs-memory"), bytes: z.int().min(1).max(GRABBED_BYTES_MAX) }),
]);

export function parseFault(raw: unknown): Result<Fault, readonly Problem[]> {
  const parsed = fault.safeParse(raw);
  return parsed.success ? ok(parsed.data) : err(dataProblems("fault", parsed.error.issues));
}
