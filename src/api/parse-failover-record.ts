import { z } from "zod";
import { epoch, serviceName } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import { err, ok, type Result } from "../base/result.ts";
import { dataProblems } from "./data-problems.ts";
import { RECORD_PHASES, type FailoverRecord, type FailoverRecordStatus } from "./failover-record.ts";
import type { Problem } from "./problem.ts";
import type { Resource } from "./resource.ts";

const place = z.enum(["hot", "warm", "cold", "degraded"]);
const instant = z.string().nullable();

const recordSpec = z.object({
  service: z.string().min(1).max(253).transform(serviceName),
  action: z.enum(["failover", "failback", "resume"]),
  from: place,
  to: place.nullable(),
  cause: z.string().max(300),
  requestedBy: z.enum(["automatic", "operator"]),
});
const recordStatus = z.object({
  phase: z.enum(RECORD_PHASES),
  epoch: z.int().min(0).transform(epoch).nullable(),
  clock: z.object({
    fault: instant,
    detected: instant,
    decided: instant,
    targetReady: instant,
    routed: instant,
    firstGoodToken: instant,
    redundant: instant,
  }),
  rtoMs: z.number().min(0).nullable(),
  capacityRtoMs: z.number().min(0).nullable(),
  mttrrMs: z.number().min(0).nullable(),
  affected: z.object({ requests: z.int().min(0), lost: z.int().min(0) }),
  reason: z.string().max(2_000),
});

/** Of a stored FailoverRecord; a status that is absent was not looked at yet: an operator's request. */
export function parseFailoverRecord(resource: Pick<Resource, "name" | "spec" | "status">): Result<FailoverRecord, readonly Problem[]> {
  const spec = recordSpec.safeParse(resource.spec);
  if (!spec.success) return err(dataProblems("spec", spec.error.issues));
  if (resource.status === null) return ok({ name: resource.name, ...spec.data, status: null });
  const status = recordStatus.safeParse(resource.status);
  return status.success ? ok({ name: resource.name, ...spec.data, status: status.data }) : err(dataProblems("status", status.error.issues));
}

export function failoverRecordSpec({ service, action, from, to, cause, requestedBy }: Omit<FailoverRecord, "name" | "status">): JsonObject {
  return { service, action, from, to, cause, requestedBy };
}

export function failoverRecordStatusJson(status: FailoverRecordStatus): JsonObject {
  return { ...status, clock: { ...status.clock }, affected: { ...status.affected } };
}
