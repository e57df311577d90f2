import type { ResourceDraft } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import { formatDuration } from "../base/time.ts";
import { nodesOf, type Scenario, type ScenarioPolicy, type ScenarioService, type Setting } from "./scenario.ts";
import { draft, gpuNodeDraft, worldModel } from "./world-resources.ts";

/** A whole instance on a GPU of its own; one asleep, or a reserve: its weights and some room. */
const INSTANCE_GB = 40;
const RESERVE_GB = 20;
const DEFAULT_REVISION = "r1";

/** What was set while it ran. */
export interface Settings {
  readonly revision: string;
  readonly budget: number | null;
  readonly soakMs: number | null;
}

export const firstSettings = ({ policy }: ScenarioService): Settings => ({
  revision: DEFAULT_REVISION,
  budget: policy.budget,
  soakMs: policy.soakMs,
});

export function withSetting(settings: Settings, setting: Setting): Settings {
  switch (setting.kind) {
    case "revision":
      return { ...settings, revision: setting.revision };
    case "budget":
      return { ...settings, budget: setting.budget };
    case "soak":
      return { ...settings, soakMs: setting.soakMs };
  }
}

/** The manifests of both worlds. */
export const draftsOf = (scenario: Scenario): readonly ResourceDraft[] => [
  ...nodesOf(scenario).map(({ name, zone, gpuCount }) => gpuNodeDraft(name, zone, gpuCount)),
  ...scenario.services.map((service) => serviceDraft(service, firstSettings(service))),
];

export const modelOf = (service: string): string => `model-${service}`;

export function serviceDraft(service: ScenarioService, settings: Settings): ResourceDraft {
  const { name, tier, hotCount, warmCount, isWarmAsleep, hasReserve, policy } = service;
  const warmGb = isWarmAsleep ? RESERVE_GB : INSTANCE_GB;
  return draft("HotStandbyConfig", name, {
    tenant: name,
    tier,
    // Without it a real engine has no fault port; the simulator's have one always.
    model: { ...worldModel(modelOf(name)), revision: settings.revision, args: ["--enable-faults"] },
    hotStandby: { gpuCount: hotCount, memoryReserved: `${hotCount * INSTANCE_GB}GB` },
    // Absent levels are said to be absent: the tier's row would fill them in.
    warmStandby:
      warmCount === 0
        ? { gpuCount: 0 }
        : { gpuCount: warmCount, memoryReserved: `${warmCount * warmGb}GB`, rest: isWarmAsleep ? "asleep" : "resident" },
    coldStandby: hasReserve ? { imageCache: true, memoryReserved: `${RESERVE_GB}GB` } : { gpuCount: 0 },
    traffic: { mirrorPercent: 0 },
    failoverPolicy: policyOf(policy, settings),
    ...(policy.queueMs === null ? {} : { degraded: [{ kind: "queue", upTo: formatDuration(policy.queueMs) }, { kind: "shed" }] }),
  });
}

const policyOf = ({ isAutomatic, windowMs }: ScenarioPolicy, { budget, soakMs }: Settings): JsonObject => ({
  autoFailover: isAutomatic,
  ...(budget === null ? {} : { maxFailoverCount: budget }),
  ...(windowMs === null ? {} : { window: formatDuration(windowMs) }),
  ...(soakMs === null ? {} : { failback: { soak: formatDuration(soakMs) } }),
});
