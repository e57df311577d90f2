import { z } from "zod";
import { epoch, gatewayId, generation, instanceName, keyHash, keyId, nodeName, serviceName, tenantId, uid } from "../base/ids.ts";
import { err, ok, type Result } from "../base/result.ts";
import { FIRST_TOKEN_BOUNDS_SECONDS } from "./alert-counters.ts";
import { NONE_RETURNED, type DownMessage, type KeyEntry, type UpMessage } from "./link-message.ts";
import type { RouteTable } from "./route-table.ts";

// Each bound is far above what a real installation sends, and keeps a broken peer from filling memory.
const name = z.string().min(1).max(300);
const counted = z.int().min(0);
const optionalLimit = counted.nullable();
const age = z.number().min(0);

const endpoint = z.object({
  instance: name.transform(instanceName),
  uid: name.transform(uid),
  generation: counted.transform(generation),
  address: z.object({ host: z.string().min(1).max(255), port: z.int().min(1).max(65_535) }),
  engine: z.enum(["simulated", "vllm", "sglang", "llama.cpp"]),
  upstreamModel: name.nullable(),
  isReady: z.boolean(),
  // Absent from a control plane of an earlier version, as in a gateway's old memory.
  isAsleep: z.boolean().default(false),
  isWaking: z.boolean().default(false),
  weight: z.number().min(0).max(1_000_000),
  maxBatch: z.int().min(1).max(1_000_000),
  node: name.transform(nodeName).nullable(),
  zone: name.nullable(),
  fingerprint: z.string().max(1_000),
  hasProgress: z.boolean(),
  namesIds: z.boolean().default(true),
});
const level = z.enum(["hot", "warm", "cold"]);
const rung = z.object({
  level,
  activation: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("none") }),
    z.object({ kind: z.literal("wake") }),
    z.object({ kind: z.literal("controller") }),
  ]),
  endpoints: z.array(endpoint).max(1_024),
});
const degradedStep = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("queue"), upToMs: counted }),
  z.object({ kind: z.literal("model"), name }),
  z.object({ kind: z.literal("shed") }),
]);
const table = z.object({
  uid: name.transform(uid),
  epoch: counted.transform(epoch),
  revision: counted,
  service: name.transform(serviceName),
  tenant: name.transform(tenantId),
  tier: z.enum(["platinum", "gold", "silver"]),
  models: z.array(name).min(1).max(1_024),
  contextLength: z.int().min(1),
  rungs: z.array(rung).max(16),
  serveFrom: level.default("hot"),
  returnPercent: z.number().min(0).max(100).default(0),
  knownAnswer: z.string().max(65_536).nullable().default(null),
  priority: z.int().default(0),
  grants: z.object({ descent: z.enum(["automatic", "held"]), movesLeft: counted }),
  degraded: z.array(degradedStep).max(16),
  overflow: z.object({ inFlightRatio: z.number().gt(0), queuedForMs: counted }),
  limits: z.object({
    requestsPerMinute: optionalLimit,
    tokensPerMinute: optionalLimit,
    concurrency: optionalLimit,
    maxTokens: optionalLimit,
  }),
  mirrorPercent: z.number().min(0).max(100),
  rtoTargetMs: z.number().min(0),
});
const keyEntries = z
  .array(
    z.object({
      hash: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .transform(keyHash),
      id: name.transform(keyId),
      tenant: name.transform(tenantId),
    }),
  )
  .max(1_000_000);

const term = { term: counted.optional() };
const down = z.discriminatedUnion("type", [
  z.object({ type: z.literal("welcome"), stateId: name, ...term }),
  z.object({ type: z.literal("table"), table, ...term }),
  z.object({ type: z.literal("table-removed"), uid: name.transform(uid), ...term }),
  z.object({ type: z.literal("keys"), keys: keyEntries, ...term }),
  z.object({ type: z.literal("synced"), ...term }),
]);

const alertCounters = z.object({
  outcomes: z.object({ ok: counted, refused: counted, "upstream-error": counted, "stream-error": counted }),
  firstTokens: z.array(counted).length(FIRST_TOKEN_BOUNDS_SECONDS.length + 1),
});
const returned = z.object({ requests: counted, failed: counted, firstTokenP99Ms: age.nullable() });
const serviceCounts = z.object({
  service: name.transform(serviceName),
  requests: counted,
  failed: counted,
  inFlight: counted,
  promptTokens: counted,
  outputTokens: counted,
  firstTokenP99Ms: age.nullable().default(null),
  // A gateway of another version may count otherwise: what else it tells is still heard.
  alertCounters: alertCounters.nullable().catch(null).default(null),
  returned: returned.default(NONE_RETURNED),
});
const cause = z.enum(["refused", "reset", "cut", "5xx", "silent", "no-progress", "stall", "malformed"]);
const ofInstance = {
  service: name.transform(serviceName),
  instance: name.transform(instanceName),
  uid: name.transform(uid),
};
const up = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), gateway: name.transform(gatewayId), pid: counted, address: z.string().max(300) }),
  z.object({ type: z.literal("ack"), uid: name.transform(uid), epoch: counted.transform(epoch), revision: counted }),
  z.object({
    type: z.literal("ejected"),
    ...ofInstance,
    generation: counted.transform(generation),
    cause,
    ageMs: age,
  }),
  z.object({
    type: z.literal("rung-activated"),
    ...ofInstance,
    generation: counted.transform(generation),
    because: z.enum(["lost", "saturated", "suspected"]),
    outcome: z.enum(["awake", "failed"]),
    reason: z.string().max(2_000),
    ageMs: age,
  }),
  z.object({
    type: z.literal("episode"),
    ...ofInstance,
    epoch: counted.transform(epoch),
    number: counted,
    cause,
    from: level,
    to: level.nullable(),
    faultAgeMs: age,
    detectedAgeMs: age,
    targetReadyAgeMs: age.nullable(),
    firstGoodTokenAgeMs: age.nullable(),
    endedAgeMs: age.nullable().default(null),
    affected: counted,
    lost: counted,
    rtoMs: age.nullable(),
    isOver: z.boolean(),
  }),
  z.object({ type: z.literal("counts"), services: z.array(serviceCounts).max(100_000) }),
]);

/** What is wrong, for a log; a peer of another version is the usual cause. */
export interface UnreadableMessage {
  readonly reason: string;
}

export const parseDownMessage = (raw: unknown): Result<DownMessage, UnreadableMessage> => read(down, raw);
export const parseUpMessage = (raw: unknown): Result<UpMessage, UnreadableMessage> => read(up, raw);
export const parseRouteTable = (raw: unknown): Result<RouteTable, UnreadableMessage> => read(table, raw);
export const parseKeyEntries = (raw: unknown): Result<readonly KeyEntry[], UnreadableMessage> => read(keyEntries, raw);

/** Fields that this version does not know are left out: planes are updated one after the other. */
function read<Value>(schema: z.ZodType<Value>, raw: unknown): Result<Value, UnreadableMessage> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return ok(parsed.data);
  const [first] = parsed.error.issues;
  return err({ reason: first === undefined ? "Unreadable." : `${first.path.map(String).join(".")}: ${first.message}` });
}
