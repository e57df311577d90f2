import { z } from "zod";
import { generation, serviceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { AttachedStatus } from "./attached-status.ts";
import { dataProblems } from "./data-problems.ts";
import type { Problem } from "./problem.ts";

const found = z.int().min(0).transform(generation);
const evidence = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("known"),
    generation: found,
    version: z.string(),
    root: z.string(),
    settings: z.string(),
    answer: z.string(),
  }),
  z.object({ kind: z.literal("unknown"), generation: found, why: z.string() }),
]);

const status = z.object({
  state: z.enum(["Pending", "Ready", "Failed"]),
  generation: found,
  service: z.string().transform(serviceName).nullable(),
  models: z.array(z.string()),
  model: z.string().nullable(),
  engine: z.enum(["simulated", "vllm", "sglang", "llama.cpp"]).nullable(),
  contextLength: z.int().min(1).nullable(),
  hasProgress: z.boolean(),
  // Absent from what an earlier version stored.
  evidence: evidence.nullable().default(null),
  message: z.string(),
});

/** Of a resource's `status` that is there. */
export function parseAttachedStatus(raw: unknown): Result<AttachedStatus, readonly Problem[]> {
  const parsed = status.safeParse(raw);
  return parsed.success ? ok(parsed.data) : err(dataProblems("status", parsed.error.issues));
}

/** What is stored, and what `parseAttachedStatus` reads back. */
export const attachedStatusJson = (of: AttachedStatus): JsonObject => ({
  ...of,
  evidence: of.evidence === null ? null : { ...of.evidence },
});
