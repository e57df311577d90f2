import { ALERT_GAUGES } from "../../api/alert-rules.ts";
import type { FailoverRecord, RtoClock } from "../../api/failover-record.ts";
import { parseFailoverRecord } from "../../api/parse-failover-record.ts";
import type { Resource } from "../../api/resource.ts";
import { PHASES, type ServiceStatus } from "../../api/service-status.ts";
import type { Uid, WallMs } from "../../base/ids.ts";
import { createRegistry, type MetricFamily, type MetricRegistry } from "../../base/metric.ts";
import { parseWall } from "../../base/time.ts";
import type { AlertView } from "../../controllers/alert-desk.ts";
import { alertGauges } from "../../failover/alert-gauges.ts";

/** Services, phases and holds as they are at this look. */
export function addLadderState(
  registry: MetricRegistry,
  services: readonly { readonly name: string; readonly status: ServiceStatus }[],
): void {
  const labels = ["service"];
  const phases = registry.gauge("tidegate_service_phase", "1 at the phase that the service is in now.", ["service", "phase"]);
  const hold = registry.gauge(ALERT_GAUGES.isHeld, "1 while the count of automatic moves is used up.", labels);
  const redundancy = registry.gauge(ALERT_GAUGES.isRedundancyLost, "1 while fewer hot instances take requests than asked for.", labels);
  const atRisk = registry.gauge("tidegate_promise_at_risk", "1 while arithmetic says that one loss can take longer than promised.", labels);
  const burned = registry.gauge(
    "tidegate_error_budget_burned_seconds",
    "By how much recoveries were later than promised, in the window that runs.",
    labels,
  );
  const spent = registry.gauge("tidegate_error_budget_spent", "1 while late recoveries have used up what the tier allows.", labels);
  const target = registry.gauge("tidegate_service_rto_target_seconds", "Promised recovery time.", labels);
  for (const { name, status } of services) {
    for (const phase of PHASES) phases.with(name, phase).set(status.phase === phase ? 1 : 0);
    const { isHeld, isRedundancyLost } = alertGauges(status);
    hold.with(name).set(isHeld ? 1 : 0);
    redundancy.with(name).set(isRedundancyLost ? 1 : 0);
    atRisk.with(name).set(holds(status, "PromiseAtRisk") ? 1 : 0);
    burned.with(name).set(status.errorBudget.burnedMs / 1_000);
    spent.with(name).set(holds(status, "ErrorBudgetSpent") ? 1 : 0);
    target.with(name).set(status.rto.targetMs / 1_000);
  }
}

const ALERT_STATE = { inactive: 0, resolved: 0, pending: 1, firing: 2 } as const;

/** Alerts as the control plane itself evaluates them, with the rules that `render --target prometheus-rules` prints. */
export function addAlertStates(registry: MetricRegistry, alerts: readonly AlertView[]): void {
  const states = registry.gauge(
    "tidegate_alert_state",
    "Alerts that the control plane evaluates: 0 quiet, 1 pending, 2 firing. No service: an alert of the platform.",
    ["service", "alert"],
  );
  for (const { service, alert, state } of alerts) states.with(service ?? "", alert).set(ALERT_STATE[state]);
}

const holds = ({ conditions }: ServiceStatus, type: string): boolean =>
  conditions.some((condition) => condition.type === type && condition.status === "True");

/** Counts moves over the life of the process: a record is removed when it is old, and a counter must not fall with it. */
export interface MoveCounts {
  /** Every stored FailoverRecord, at each look. */
  look(records: readonly Resource[]): void;
  families(): readonly MetricFamily[];
}

const CLOCK_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300];

/** @param startedAt moves recorded before were counted by the process before this one. */
export function createMoveCounts(startedAt: WallMs): MoveCounts {
  const registry = createRegistry();
  const place = ["service", "from", "to"];
  const moves = registry.counter("tidegate_failovers_total", "Moves of a service on its ladder, by rung and cause.", [...place, "cause"]);
  const points = registry.histogram(
    "tidegate_failover_phase_seconds",
    "From the fault to each point of the clock: detect, decide, ready (the target), route (all gateways), first_token, redundant.",
    ["service", "phase"],
    CLOCK_BUCKETS_SECONDS,
  );
  const durations = registry.histogram(
    "tidegate_failover_duration_seconds",
    "Recovery time: largest wait of an affected request.",
    place,
    CLOCK_BUCKETS_SECONDS,
  );
  const counted = new Set<Uid>();
  const finished = new Set<Uid>();
  const take = (record: FailoverRecord, uid: Uid): void => {
    const { service, from, to, cause, status } = record;
    // Not made: asked for, refused, or only advised.
    if (status === null || record.action === "resume" || !["Running", "Completed", "Failed"].includes(status.phase)) return;
    // An operator may leave the rung to the ladder.
    const target = to ?? "any";
    if (!counted.has(uid)) {
      counted.add(uid);
      moves.with(service, from, target, boundedCause(cause)).add(1);
    }
    if (status.phase === "Running" || finished.has(uid)) return;
    finished.add(uid);
    if (status.rtoMs !== null) durations.with(service, from, target).observe(status.rtoMs / 1_000);
    for (const [phase, seconds] of clockOffsetsSeconds(status.clock)) points.with(service, phase).observe(seconds);
  };
  return {
    look(records) {
      const stored = new Set(records.map((record) => record.uid));
      for (const known of [counted, finished]) for (const uid of known) if (!stored.has(uid)) known.delete(uid);
      for (const resource of records.filter((candidate) => candidate.createdAt >= startedAt)) {
        const record = parseFailoverRecord(resource);
        if (record.ok) take(record.value, resource.uid);
      }
    },
    families: () => registry.families(),
  };
}

// A cause is one of a few short words; anything else is somebody's text.
const boundedCause = (cause: string): string => (/^[a-z0-9-]{1,32}$/i.test(cause) ? cause : "other");

const CLOCK_PHASES = [
  ["detect", "detected"],
  ["decide", "decided"],
  ["ready", "targetReady"],
  ["route", "routed"],
  ["first_token", "firstGoodToken"],
  ["redundant", "redundant"],
] as const;

/** A target that was Ready all along is ready at the fault: never before it. */
function clockOffsetsSeconds(clock: RtoClock): readonly (readonly [string, number])[] {
  const fault = clock.fault === null ? null : parseWall(clock.fault);
  if (fault === null) return [];
  return CLOCK_PHASES.flatMap(([phase, point]) => {
    const text = clock[point];
    const at = text === null ? null : parseWall(text);
    return at === null ? [] : [[phase, Math.max(0, at - fault) / 1_000] as const];
  });
}

/** Two registries as one page: a family that both have, such as the count of overflows, is shown once. */
export function mergeFamilies(one: readonly MetricFamily[], other: readonly MetricFamily[]): readonly MetricFamily[] {
  const more = new Map(other.map((family) => [family.name, family]));
  const merged = one.map((family): MetricFamily => {
    const twin = more.get(family.name);
    if (twin === undefined) return family;
    more.delete(family.name);
    const { name, help, type, labelNames, buckets } = family;
    return { name, help, type, labelNames, buckets, series: () => [...family.series(), ...twin.series()] };
  });
  return [...merged, ...more.values()];
}
