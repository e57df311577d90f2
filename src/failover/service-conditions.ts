import { summaryFor, type AlertRule } from "../api/alert-rules.ts";
import type { HotStandbyConfig } from "../api/hot-standby-config.ts";
import type { Condition } from "../api/resource.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { grantsOf, isRoutable } from "../routing/build-table.ts";
import type { LadderDecision } from "./decide-ladder.ts";
import { desiredInstances } from "./desired-instances.ts";
import { formatSeconds } from "./explain-vetting.ts";
import { failbackFacts } from "./failback-facts.ts";
import type { Placement } from "./instance-look.ts";
import { reservationFacts } from "./reservation-facts.ts";
import type { Vetting } from "./vet-fleet.ts";

type Fact = Omit<Condition, "lastTransitionTime">;

interface Seen {
  readonly config: HotStandbyConfig;
  readonly status: ServiceStatus;
  /** Of what shall run; undefined = not seen yet. */
  readonly placements: readonly (Placement | undefined)[];
  readonly ladder: Pick<LadderDecision, "held" | "withheld" | "paused">;
  readonly alerts: readonly AlertRule[];
  /** null = not worked out yet, or not again since this process began. */
  readonly vetting: Vetting | null;
  /** null = what is free to be moved is. */
  readonly freeze: { readonly why: string } | null;
}

/** What holds of a service now, in Kubernetes form; a condition that keeps its status keeps its transition time. */
export function serviceConditions(seen: Seen, at: string): readonly Condition[] {
  const { config, status } = seen;
  const hotCount = desiredInstances(config).filter((instance) => instance.level === "hot").length;
  const facts = [
    readiness(status),
    redundancy(status, hotCount),
    held(seen),
    advising(seen),
    pinned(status),
    alerting(seen),
    frozen(seen),
    isolation(seen),
    ...failbackFacts(config, status, seen.ladder.paused),
    tierInferred(config),
    promise(config, hotCount),
    promiseAtRisk(seen),
    placeability(seen.placements),
    ...reservationFacts(config),
  ];
  return facts.map((fact) => {
    const old = status.conditions.find((condition) => condition.type === fact.type);
    return { ...fact, lastTransitionTime: old !== undefined && old.status === fact.status ? old.lastTransitionTime : at };
  });
}

function readiness({ instances }: ServiceStatus): Fact {
  const ready = instances.filter((instance) => isRoutable(instance.state));
  const message = `${ready.length} of ${instances.length} instances take requests.`;
  return ready.length > 0
    ? { type: "Ready", status: "True", reason: "Serving", message }
    : { type: "Ready", status: "False", reason: "NothingReady", message };
}

function redundancy({ instances }: ServiceStatus, hotCount: number): Fact {
  const takers = instances.filter((instance) => isRoutable(instance.state));
  const hot = takers.filter((instance) => instance.level === "hot").length;
  const cold = takers.filter((instance) => instance.level === "cold").length;
  const type = "RedundancyLost";
  const message = `${hot} of ${hotCount} hot instances take requests${cold > 0 ? `, and ${cold} of the reserve in their place` : ""}.`;
  if (hot >= hotCount) return { type, status: "False", reason: "AllHotReady", message };
  if (hot + cold >= hotCount) return { type, status: "False", reason: "ReserveStandsIn", message };
  return { type, status: "True", reason: "HotMissing", message };
}

/** Whether the count of moves stands at its limit; with what is held back right now. */
function held({ config, status, ladder }: Seen): Fact {
  const type = "Held";
  const isHeld = config.failoverPolicy.isAutomatic && grantsOf(config, status).descent === "held";
  if (!isHeld) return { type, status: "False", reason: "MovesLeft", message: "The ladder may move by itself." };
  const { inWindow, max, windowStart } = status.failovers;
  const moves = windowStart === null ? `maxFailoverCount is ${max}.` : `${inWindow} of ${max} moves since ${windowStart}.`;
  return { type, status: "True", reason: "LimitReached", message: `${moves}${ladder.withheld === null ? "" : ` ${ladder.withheld.what}`}` };
}

function advising({ config, ladder }: Seen): Fact {
  const type = "Advising";
  if (config.failoverPolicy.isAutomatic) return { type, status: "False", reason: "Automatic", message: "autoFailover is on." };
  const message = "autoFailover is off: nothing is woken, started from the reserve or failed back by itself.";
  return {
    type,
    status: "True",
    reason: "AutoFailoverOff",
    message: ladder.withheld === null ? message : `${message} ${ladder.withheld.what}`,
  };
}

const pinned = ({ pinned: place }: ServiceStatus): Fact =>
  place === null
    ? { type: "Pinned", status: "False", reason: "Free", message: "The ladder decides where traffic belongs." }
    : {
        type: "Pinned",
        status: "True",
        reason: "Operator",
        message: `An operator moved traffic to ${place}: it stays until failback, or a loss.`,
      };

const frozen = ({ freeze }: Seen): Fact =>
  freeze === null
    ? { type: "Frozen", status: "False", reason: "NoStorm", message: "Failbacks and rollouts go their way." }
    : { type: "Frozen", status: "True", reason: "LostTogether", message: freeze.why };

/** Whether an instance took more of a shared GPU than it was granted, of late. */
function isolation({ config, status }: Seen): Fact {
  const type = "IsolationViolated";
  const told = status.instances.flatMap(({ name, violations }) => {
    if (violations === null) return [];
    const times = violations.count === 1 ? "once" : `${violations.count} times, the last`;
    return [`${name} of tenant ${config.tenant} was ended ${times} at ${violations.at}: ${violations.what}.`];
  });
  if (told.length === 0)
    return { type, status: "False", reason: "WithinShare", message: "No instance took more of a shared GPU than it was granted." };
  return { type, status: "True", reason: "TookMore", message: told.join(" ") };
}

/** Without figures: a condition is written when it changes, not each second. */
function alerting({ config, alerts }: Seen): Fact {
  const type = "Alerting";
  const [first] = alerts;
  if (first === undefined) return { type, status: "False", reason: "NoAlert", message: "No alert fires." };
  const told = alerts.map((rule) => `${summaryFor(rule, config.name)} (${rule.name}, ${rule.severity})`);
  return { type, status: "True", reason: first.name, message: told.join(" ") };
}

function tierInferred(config: HotStandbyConfig): Fact {
  return config.isTierInferred
    ? {
        type: "TierInferred",
        status: "True",
        reason: "FromRtoTarget",
        message: `spec.tier is absent: ${config.tier} follows from rtoTarget.`,
      }
    : { type: "TierInferred", status: "False", reason: "TierGiven", message: `spec.tier is ${config.tier}.` };
}

/** What would take over when every hot instance is gone? */
function promise(config: HotStandbyConfig, hotCount: number): Fact {
  const type = "PromiseUnbacked";
  if (config.warm !== null) return { type, status: "False", reason: "WarmHeld", message: "A warm instance stands by." };
  if (hotCount > 1) return { type, status: "False", reason: "HotSpare", message: "Another hot instance stands by." };
  if (config.cold !== null && config.cold.memoryReservedBytes > 0) {
    return { type, status: "False", reason: "ColdReserved", message: "GPU memory is reserved for a cold start." };
  }
  const message = "One hot instance, nothing in reserve: if its GPU is lost, a new start depends on what is free then.";
  return { type, status: "True", reason: "NothingReserved", message };
}

const NOT_VETTED = { status: "Unknown", reason: "NotVetted" } as const;

/** Whether physics allows what is promised. What was worked out before this process began holds until it is worked out again. */
function promiseAtRisk({ config, status, vetting }: Seen): Fact {
  const type = "PromiseAtRisk";
  if (vetting === null) {
    return status.conditions.find((condition) => condition.type === type) ?? { type, ...NOT_VETTED, message: "It is not worked out yet." };
  }
  if (vetting.impossible !== null) return { type, status: "True", reason: "Impossible", message: vetting.impossible.what };
  if (vetting.risks.length > 0) return { type, status: "True", reason: "TooSlow", message: vetting.risks.join(" ") };
  if (vetting.worstMs === null) return { type, ...NOT_VETTED, message: "No node that it may use is known." };
  const target = `rtoTarget is ${formatSeconds(config.failoverPolicy.rtoTargetMs)}.`;
  const message = `Back within ${formatSeconds(vetting.worstMs)} after any one loss, by arithmetic; ${target}`;
  return { type, status: "False", reason: "CanBeKept", message };
}

function placeability(placements: Seen["placements"]): Fact {
  const refused = placements.flatMap((placement) => (placement?.kind === "refused" ? [`${placement.what} ${placement.why}`] : []));
  return refused.length > 0
    ? { type: "Unplaceable", status: "True", reason: "PartitionRefused", message: refused.join(" ") }
    : { type: "Unplaceable", status: "False", reason: "Placed", message: "Every instance has its GPUs, or is being given them." };
}
