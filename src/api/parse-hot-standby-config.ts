import { serviceName, tenantId } from "../base/ids.ts";
import { err, ok, type Result } from "../base/result.ts";
import { checkConfig } from "./check-config.ts";
import { problemOf, type ProblemFinding } from "./finding.ts";
import type { DegradedStep, FailoverPolicy, HotStandbyConfig, ModelSpec, QosClass, Tier } from "./hot-standby-config.ts";
import { hotStandbyConfigSpec, type HotStandbyConfigSpec } from "./hot-standby-config-schema.ts";
import { levelsOf } from "./level-defaults.ts";
import { nameFindings } from "./name-findings.ts";
import type { Problem } from "./problem.ts";
import { fillSpec, reservationConflicts } from "./reservation.ts";
import type { ResourceDraft } from "./resource.ts";
import { shapeFindings } from "./shape-findings.ts";
import { inferTier, TIER_TABLE } from "./tier-table.ts";

/** What a parser needs of a stored resource or of a draft. */
export type ParsedFrom = Pick<ResourceDraft, "name" | "spec"> & Partial<Pick<ResourceDraft, "annotations">>;

/** One service with every default applied, or all that is wrong with it. */
export function parseHotStandbyConfig(resource: ParsedFrom): Result<HotStandbyConfig, readonly Problem[]> {
  const read = readHotStandbyConfig(resource);
  return read.ok ? read : err(read.error.map((finding) => problemOf(finding)));
}

/** As `parseHotStandbyConfig`, for callers that know where the text stands. */
export function readHotStandbyConfig(resource: ParsedFrom): Result<HotStandbyConfig, readonly ProblemFinding[]> {
  const { spec, entry, filled } = fillSpec(resource);
  const parsed = hotStandbyConfigSpec.safeParse(spec);
  const found = [...nameFindings(resource.name)];
  if (!parsed.success) return err([...found, ...shapeFindings("HotStandbyConfig", spec, parsed.error.issues)]);
  const plain = withDefaults(resource.name, parsed.data);
  const config = entry === null ? plain : { ...plain, reservation: { filled, conflicts: reservationConflicts(plain, entry) } };
  found.push(...checkConfig(config, parsed.data));
  return found.length > 0 ? err(found) : ok(config);
}

const PRIORITIES = { low: -100, normal: 0, high: 100 } as const;

function withDefaults(name: string, spec: HotStandbyConfigSpec): HotStandbyConfig {
  const rtoTargetMs = spec.failoverPolicy?.rtoTarget ?? null;
  const tier = spec.tier ?? inferTier(rtoTargetMs);
  const model = modelOf(spec.model);
  const priority = spec.priority ?? "normal";
  return {
    name: serviceName(name),
    tenant: tenantId(spec.tenant),
    priority: typeof priority === "number" ? priority : PRIORITIES[priority],
    tier,
    isTierInferred: spec.tier === undefined,
    qosClass: spec.qosClass ?? QOS_BY_TIER[tier],
    isQosClassExplicit: spec.qosClass !== undefined,
    isolation: spec.isolation ?? "none",
    model,
    ...levelsOf(spec, { tier, model }),
    // A mirror of a tenth is enough to compare answers without a second engine's worth of work.
    traffic: { weights: spec.traffic?.weights ?? null, mirrorPercent: spec.traffic?.mirrorPercent ?? 10 },
    overflow: { inFlightRatio: spec.overflow?.inFlightRatio ?? 0.9, queuedForMs: spec.overflow?.queuedForMs ?? 100 },
    failoverPolicy: policyOf(spec.failoverPolicy, TIER_TABLE[tier].rtoTargetMs),
    degraded: spec.degraded === undefined ? DEGRADED_DEFAULT : spec.degraded.map(degradedStepOf),
    limits: {
      requestsPerMinute: spec.limits?.requestsPerMinute ?? null,
      tokensPerMinute: spec.limits?.tokensPerMinute ?? null,
      concurrency: spec.limits?.concurrency ?? null,
      maxTokens: spec.limits?.maxTokens ?? null,
    },
    reservation: null,
  };
}

/** Ceiling of a shared GPU where the manifest names no class. */
const QOS_BY_TIER: Readonly<Record<Tier, QosClass>> = { platinum: "gold", gold: "gold", silver: "silver" };

// Clients wait longer than a restart takes before they hear that nothing can serve.
const DEGRADED_DEFAULT: readonly DegradedStep[] = [{ kind: "queue", upToMs: 30_000 }, { kind: "shed" }];

/** A service without a model is a rehearsal: it gets the built-in simulated one. */
const SIMULATED_MODEL: ModelSpec = {
  name: "tidegate-sim-8b",
  engine: "simulated",
  revision: "r1",
  weightsBytes: 16_000_000_000,
  contextLength: 8_192,
  tensorParallelSize: 1,
  image: null,
  command: [],
  args: [],
  adapters: [],
};

function modelOf(model: HotStandbyConfigSpec["model"]): ModelSpec {
  if (model === undefined) return SIMULATED_MODEL;
  return {
    name: model.name,
    engine: model.engine ?? SIMULATED_MODEL.engine,
    revision: model.revision ?? SIMULATED_MODEL.revision,
    weightsBytes: model.weights ?? SIMULATED_MODEL.weightsBytes,
    contextLength: model.contextLength ?? SIMULATED_MODEL.contextLength,
    tensorParallelSize: model.tensorParallelSize ?? 1,
    image: model.image ?? null,
    command: model.command ?? [],
    args: model.args ?? [],
    adapters: model.adapters ?? [],
  };
}

function policyOf(policy: HotStandbyConfigSpec["failoverPolicy"], rtoOfTierMs: number): FailoverPolicy {
  return {
    isAutomatic: policy?.autoFailover ?? true,
    // Three confirmed moves a window; 0 = Hold at once: only Ready rungs serve.
    maxFailoverCount: policy?.maxFailoverCount ?? 3,
    windowMs: policy?.window ?? 3_600_000,
    rtoTargetMs: policy?.rtoTarget ?? rtoOfTierMs,
    failback: {
      preferred: policy?.failback?.preferred ?? "hot",
      // Longer than the five minutes over which latency is compared.
      soakMs: policy?.failback?.soak ?? 600_000,
      stepsPercent: policy?.failback?.steps ?? [1, 10, 50, 100],
    },
  };
}

function degradedStepOf(step: NonNullable<HotStandbyConfigSpec["degraded"]>[number]): DegradedStep {
  switch (step.kind) {
    case "queue":
      return { kind: "queue", upToMs: step.upTo };
    case "model":
      return { kind: "model", name: step.name };
    case "shed":
      return { kind: "shed" };
  }
}
