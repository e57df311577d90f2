import { z } from "zod";
import { API_VERSION } from "../api/resource.ts";
import type { RecordAction } from "../api/failover-record.ts";
import type { Level } from "../api/hot-standby-config.ts";
import { serviceName, type ServiceName } from "../base/ids.ts";
import { err, ok, type Result } from "../base/result.ts";
import { parseJsonBody } from "./parse-json-body.ts";

/** An operator's command, before it is stored as a FailoverRecord. */
export interface FailoverRequest {
  readonly service: ServiceName;
  readonly action: RecordAction;
  /** null = the next rung down that can be made to serve; of a failback always hot. */
  readonly to: Level | null;
  /** null = the path or chance names it. */
  readonly name: string | null;
}

// What GET gives may be sent again: what the server fills in is accepted, and filled in anew.
const body = z.strictObject({
  apiVersion: z.literal(API_VERSION).optional(),
  kind: z.literal("FailoverRecord").optional(),
  metadata: z.looseObject({ name: z.string().optional() }).optional(),
  spec: z.strictObject({
    service: z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/),
    action: z.enum(["failover", "failback", "resume"]),
    to: z.enum(["hot", "warm", "cold"]).nullable().default(null),
    from: z.string().optional(),
    cause: z.literal("operator").optional(),
    requestedBy: z.literal("operator").optional(),
  }),
  status: z.unknown().optional(),
});

const FORM =
  'Send {"spec": {"service": NAME, "action": "failover", "to": "warm"}}; the action is failover, failback or resume, and to is hot, warm, cold or absent.';

/** An operator asks in an operator's name only: what the ladder decides is recorded by the control plane itself. */
export function parseFailoverRequest(text: string): Result<FailoverRequest, string> {
  const json = parseJsonBody(text);
  if (!json.ok) return json;
  const parsed = body.safeParse(json.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return err(`${issue === undefined ? "" : `${issue.path.join(".")}: ${issue.message}. `}${FORM}`);
  }
  const { spec, metadata } = parsed.data;
  if (spec.action === "resume" && spec.to !== null) return err("A resume goes nowhere: leave spec.to out.");
  if (spec.action === "failback" && spec.to !== null && spec.to !== "hot") return err("A failback goes to hot: leave spec.to out.");
  const to = spec.action === "failback" ? "hot" : spec.to;
  return ok({ service: serviceName(spec.service), action: spec.action, to, name: metadata?.name ?? null });
}
