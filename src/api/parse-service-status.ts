import { z } from "zod";
import { epoch, generation, instanceName, nodeName, partitionName, serviceName, uid } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { dataProblems } from "./data-problems.ts";
import type { Problem } from "./problem.ts";
import { INSTANCE_STATES, NO_BURN, NO_FAILBACK, PHASES, type ServiceStatus } from "./service-status.ts";

const counted = z.int().min(0);
const level = z.enum(["hot", "warm", "cold"]);
const place = z.enum(["hot", "warm", "cold", "degraded"]);
const gpu = { node: z.string().transform(nodeName), gpu: counted };

const instance = z.object({
  name: z.string().transform(instanceName),
  uid: z.string().transform(uid),
  generation: counted.transform(generation),
  level,
  state: z.enum(INSTANCE_STATES),
  weight: z.number().min(0),
  members: z.array(z.object({ ...gpu, partition: z.string().transform(partitionName) })),
  endpoint: z.string().nullable(),
  pid: counted.nullable(),
  serves: z.array(z.string().transform(serviceName)),
  fingerprint: z.string(),
  failedStarts: counted,
  // Absent in statuses of an earlier version.
  failedWakes: counted.default(0),
  violations: z
    .object({ count: z.int().min(1), at: z.string(), what: z.string() })
    .nullable()
    .default(null),
  message: z.string(),
});
const condition = z.object({
  type: z.string(),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
});
const failback = z.object({
  step: z.object({ percent: z.int().min(1).max(100), since: z.string() }).nullable(),
  doneAt: z.string().nullable(),
  undone: z.object({ count: z.int().min(1), at: z.string(), why: z.string() }).nullable(),
});
const errorBudget = z.object({
  windowStart: z.string().nullable(),
  burnedMs: z.number().min(0),
  lateCount: counted,
  last: z.object({ fault: z.string(), lateMs: z.number().min(0) }).nullable(),
});
const serviceStatus = z.object({
  phase: z.enum(PHASES),
  level: place,
  pinned: level.nullable().default(null),
  soakSince: z.string().nullable().default(null),
  failback: failback.default(NO_FAILBACK),
  errorBudget: errorBudget.default(NO_BURN),
  openMove: z
    .object({
      record: z.string(),
      epoch: counted.transform(epoch),
      from: place,
      to: place,
      cause: z.string(),
      requestedBy: z.enum(["automatic", "operator"]),
      decidedAt: z.string(),
    })
    .nullable()
    .default(null),
  epoch: counted.transform(epoch),
  revision: counted,
  observedGeneration: counted,
  instances: z.array(instance),
  failovers: z.object({ inWindow: counted, max: counted, windowStart: z.string().nullable() }),
  rto: z.object({ targetMs: z.number(), lastMs: z.number().nullable(), worstMs: z.number().nullable() }),
  knownAnswer: z.string().nullable(),
  knownAnswerOf: z.string().nullable(),
  quarantined: z.array(z.object({ ...gpu, reason: z.string(), since: z.string() })),
  history: z.array(z.object({ at: z.string(), what: z.string(), why: z.string() })),
  conditions: z.array(condition),
});

/** Of a resource's `status` that is there; a service without one has not been looked at yet. */
export function parseServiceStatus(raw: unknown): Result<ServiceStatus, readonly Problem[]> {
  const parsed = serviceStatus.safeParse(raw);
  return parsed.success ? ok(parsed.data) : err(dataProblems("status", parsed.error.issues));
}

/** What is stored, and what `parseServiceStatus` reads back. */
export function serviceStatusJson(status: ServiceStatus): JsonObject {
  // The type has JSON's values only; an interface merely lacks the index signature.
  return { ...status } as unknown as JsonObject;
}
