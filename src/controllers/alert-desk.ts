import type { GatewayId, MonotonicMs, ServiceName } from "../base/ids.ts";
import { ALERT_RULES, type AlertGauge, type AlertRule } from "../api/alert-rules.ts";
import type { ServiceCounts } from "../api/link-message.ts";
import { sampleAfter, type CounterSample } from "../failover/counter-rate.ts";
import { evaluateAlerts, evaluatePlatformAlerts, firingAlerts, type AlertState, type AlertStates } from "../failover/evaluate-alerts.ts";
import type { EventLog } from "../ports/event-log.ts";

export interface AlertView {
  /** null = of no one service. */
  readonly service: ServiceName | null;
  readonly alert: string;
  readonly state: AlertState["state"];
}

/** The alert rules, evaluated at each report of a gateway and at each look; a new process begins with nothing pending. */
export interface AlertDesk {
  count(gateway: GatewayId, services: readonly ServiceCounts[], nowMs: MonotonicMs): void;
  /** @param gauges by the service's stored status; null = it has none. @returns what fires. */
  look(service: ServiceName, gauges: Readonly<Record<AlertGauge, boolean>> | null, nowMs: MonotonicMs): readonly AlertRule[];
  /** The rules that are of no service. @param heardAtMs of the gateways that are there; null = none is. */
  lookPlatform(heardAtMs: MonotonicMs | null, nowMs: MonotonicMs): void;
  /** As of now for services, as of its last look for the platform. */
  all(nowMs: MonotonicMs): readonly AlertView[];
  forget(service: ServiceName): void;
}

interface Desk {
  readonly gateways: Map<GatewayId, CounterSample[]>;
  gauges: { readonly values: Readonly<Record<AlertGauge, boolean>>; readonly atMs: MonotonicMs } | null;
  states: AlertStates;
}

const KEPT_MS = Math.max(...ALERT_RULES.map(({ condition }) => ("windowMs" in condition ? condition.windowMs : 0)));
/** Twice what a gateway tells in the longest window. */
const SAMPLES_MAX = 120;
/** The store may be away: what the last look said of a service holds for so long. */
const GAUGES_KEPT_MS = 300_000;

export function createAlertDesk(log: EventLog): AlertDesk {
  const desks = new Map<ServiceName, Desk>();
  let platform: AlertStates = new Map();
  const deskOf = (service: ServiceName): Desk => {
    const desk = desks.get(service) ?? { gateways: new Map(), gauges: null, states: new Map() };
    desks.set(service, desk);
    return desk;
  };
  const evaluate = (service: ServiceName, desk: Desk, nowMs: MonotonicMs): AlertStates => {
    const gauges = desk.gauges !== null && nowMs - desk.gauges.atMs <= GAUGES_KEPT_MS ? desk.gauges.values : null;
    const next = evaluateAlerts(desk.states, { gateways: [...desk.gateways.values()], gauges }, nowMs);
    logChanges(log, service, desk.states, next);
    desk.states = next;
    return next;
  };
  return {
    count(gateway, services, nowMs) {
      for (const { service, alertCounters: counters } of services) {
        if (counters === null) continue;
        const desk = deskOf(service);
        keepSample(desk, gateway, { atMs: nowMs, counters });
        evaluate(service, desk, nowMs);
      }
    },
    look(service, gauges, nowMs) {
      const desk = deskOf(service);
      desk.gauges = gauges === null ? null : { values: gauges, atMs: nowMs };
      return firingAlerts(evaluate(service, desk, nowMs));
    },
    lookPlatform(heardAtMs, nowMs) {
      const next = evaluatePlatformAlerts(platform, heardAtMs, nowMs);
      logChanges(log, null, platform, next);
      platform = next;
    },
    all: (nowMs) => [
      ...viewsOf(null, platform),
      ...[...desks].flatMap(([service, desk]) => viewsOf(service, evaluate(service, desk, nowMs))),
    ],
    forget: (service) => void desks.delete(service),
  };
}

/** A gateway that has left stays until its last minute is over. */
function keepSample({ gateways }: Desk, gateway: GatewayId, { atMs, counters }: Pick<CounterSample, "atMs" | "counters">): void {
  const samples = gateways.get(gateway) ?? [];
  gateways.set(gateway, samples);
  // What waited for a paused process arrives all at once: only its newest is of now, and no two samples share a time.
  if (samples.at(-1)?.atMs === atMs) samples.pop();
  samples.push(sampleAfter(samples.at(-1) ?? null, atMs, counters));
  if (samples.length > SAMPLES_MAX) samples.shift();
  for (const [id, kept] of gateways) {
    while (kept[0] !== undefined && atMs - kept[0].atMs > KEPT_MS) kept.shift();
    if (kept.length === 0) gateways.delete(id);
  }
}

const viewsOf = (service: ServiceName | null, states: AlertStates): readonly AlertView[] =>
  [...states].map(([alert, { state }]) => ({ service, alert, state }));

function logChanges(log: EventLog, service: ServiceName | null, before: AlertStates, after: AlertStates): void {
  for (const { name, severity } of ALERT_RULES) {
    const state = after.get(name)?.state ?? "inactive";
    if (state === (before.get(name)?.state ?? "inactive") || (state !== "firing" && state !== "resolved")) continue;
    const level = state === "firing" ? "warn" : "info";
    log.record({ level, event: `alert.${state}`, fields: { service: service ?? "", alert: name, severity } });
  }
}
