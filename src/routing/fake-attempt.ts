import { epoch, generation, instanceName, monotonicMs, serviceName, tenantId, uid } from "../base/ids.ts";
import type { Level } from "../api/hot-standby-config.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import type { DegradedModel } from "./degraded-model.ts";
import { endpointKey, HealthIndex } from "./health.ts";
import { nextAttempt, type AttemptFailure, type AttemptRequest, type NextAttempt } from "./next-attempt.ts";
import { SmoothWeighted } from "./smooth-weighted.ts";
import type { WakeView, WakeWish } from "./wake-wish.ts";

export function endpoint(name: string, change: Partial<RungEndpoint> = {}): RungEndpoint {
  return {
    instance: instanceName(name),
    uid: uid(name),
    generation: generation(1),
    address: { host: "127.0.0.1", port: 1 },
    engine: "simulated",
    upstreamModel: null,
    isReady: true,
    isAsleep: false,
    isWaking: false,
    weight: 50,
    maxBatch: 10,
    node: null,
    zone: null,
    fingerprint: "",
    hasProgress: true,
    namesIds: true,
    ...change,
  };
}

export function table(
  hot: readonly RungEndpoint[],
  warm: readonly RungEndpoint[] = [],
  descent: "automatic" | "held" = "automatic",
): RouteTable {
  const rung = (level: Level, endpoints: readonly RungEndpoint[]): RouteTable["rungs"][number] => ({
    level,
    activation: { kind: "none" },
    endpoints,
  });
  return {
    uid: uid("t"),
    epoch: epoch(1),
    revision: 1,
    service: serviceName("s"),
    tenant: tenantId("x"),
    tier: "gold",
    models: ["m"],
    contextLength: 1,
    rungs: [rung("hot", hot), rung("warm", warm)],
    serveFrom: "hot",
    returnPercent: 0,
    knownAnswer: null,
    priority: 0,
    grants: { descent, movesLeft: 0 },
    degraded: [],
    overflow: { inFlightRatio: 0.9, queuedForMs: 100 },
    limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, maxTokens: null },
    mirrorPercent: 0,
    rtoTargetMs: 1,
  };
}

export const hard: AttemptFailure = { isHard: true, code: "upstream_lost" };
export const soft: AttemptFailure = { isHard: false, code: "upstream_error" };
export const A = endpoint("a");
export const B = endpoint("b");
export const W = endpoint("w", { weight: 0 });
export const Z1 = endpoint("z1", { isReady: false, isAsleep: true, weight: 0 });
export const Z2 = endpoint("z2", { isReady: false, isAsleep: true, weight: 0 });

/** One hot above two that sleep. */
export function sleeping(change: Partial<RouteTable> = {}, kind: "wake" | "controller" = "wake", first: RungEndpoint = Z1): RouteTable {
  const rungs: RouteTable["rungs"] = [
    { level: "hot", activation: { kind: "none" }, endpoints: [A] },
    { level: "warm", activation: { kind }, endpoints: [first, Z2] },
  ];
  return { ...table([A]), knownAnswer: "tide", grants: { descent: "automatic", movesLeft: 3 }, rungs, ...change };
}

const NEW: AttemptRequest = {
  hasFirstByte: false,
  prefix: null,
  reroutes: 0,
  failure: null,
  tried: [],
  holdUntil: monotonicMs(1_000),
  isQuarantined: false,
  isLate: false,
};

/** So that the panic floor lets others out. */
const OTHER = endpoint("other");

/** A small model of another service. */
export const S = endpoint("s");
export const small = (change: Partial<DegradedModel> = {}): DegradedModel => ({
  model: "small",
  table: { ...table([S]), uid: uid("u") },
  hasQueue: false,
  beforeEndMs: 0,
  ...change,
});

/** One question to `nextAttempt`: a small ladder and what is known of it. */
export interface AttemptCase {
  readonly request?: Partial<AttemptRequest>;
  readonly table: RouteTable | null;
  readonly ejected?: readonly RungEndpoint[];
  /** Out, because they answer badly. */
  readonly ailing?: readonly RungEndpoint[];
  readonly busy?: readonly (readonly [RungEndpoint, number])[];
  readonly canRetry?: boolean;
  readonly canHold?: boolean;
  readonly canHedge?: boolean;
  readonly woken?: readonly RungEndpoint[];
  readonly isQueueAhead?: boolean;
  readonly wakes?: Partial<WakeView>;
  readonly degraded?: readonly DegradedModel[];
  readonly now?: number;
  /** Who reads others' prompts again, as much as it may. */
  readonly rereading?: readonly RungEndpoint[];
}

export function decide(c: AttemptCase): NextAttempt {
  const health = new HealthIndex();
  for (const one of c.ejected ?? []) health.eject(one, [], { cause: "refused", now: monotonicMs(0) });
  for (const one of c.ailing ?? []) health.eject(one, [OTHER], { cause: "5xx", now: monotonicMs(0) });
  for (const [one, count] of c.busy ?? []) for (let index = 0; index < count; index += 1) health.enter(one, monotonicMs(0));
  return nextAttempt({ ...NEW, ...c.request }, c.table, {
    health,
    weights: new SmoothWeighted(),
    woken: new Set(c.woken?.map(endpointKey)),
    wakes: { isTrusted: true, begun: new Set(), movesLeft: 3, wakingUntil: null, budgetMs: 1_000, ...c.wakes },
    degraded: c.degraded ?? [],
    prefill: { hasRoom: (one) => c.rereading?.includes(one) !== true },
    budgets: {
      canHedge: c.canHedge ?? true,
      canRetry: c.canRetry ?? true,
      canHold: c.canHold ?? true,
      isQueueAhead: c.isQueueAhead ?? false,
    },
    now: monotonicMs(c.now ?? 0),
  });
}

/** `send a hot first, wake z1 saturated`. */
export function describeAttempt(next: NextAttempt): string {
  switch (next.kind) {
    case "send":
      return `${next.prefix === null ? "send" : "continue"} ${next.choice.endpoint.instance} ${next.choice.level} ${next.because}${describeWake(next.wake)}`;
    case "degrade":
      return `degrade ${next.by.model} ${next.choice.endpoint.instance} ${next.because}${describeWake(next.wake)}`;
    case "hold":
      return `hold ${next.until}${describeWake(next.wake)}`;
    case "refuse":
      return `refuse ${next.code}${next.retryAfterMs === null ? "" : ` after ${next.retryAfterMs}`}`;
    case "hedge":
      return `hedge ${next.choice.endpoint.instance} ${next.choice.level}`;
    case "stay":
      return `stay ${next.why}`;
    case "fail-stream":
      return `${next.kind} ${next.code}`;
  }
}

const describeWake = (wake: WakeWish | null): string =>
  wake === null ? "" : `, wake ${wake.endpoints.map((one) => one.instance).join("+")} ${wake.because}`;
