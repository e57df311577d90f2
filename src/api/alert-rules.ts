import { formatDuration } from "../base/time.ts";
import { FAILED_OUTCOMES, JUDGED_OUTCOMES } from "./alert-counters.ts";

/** Facts of the control plane's own that a rule may ask for, and the gauges of its metrics page that show them. */
export const ALERT_GAUGES = { isHeld: "tidegate_service_hold", isRedundancyLost: "tidegate_redundancy_lost" } as const;
export type AlertGauge = keyof typeof ALERT_GAUGES;

/** A rule's condition as data: it is evaluated by failover/evaluate-alerts.ts, and written as Prometheus text by `expressionOf`. */
export type AlertCondition =
  /** Of a service's requests over the window, more than `ratio` failed; silent below `requestsPerSecondMin`. */
  | { readonly kind: "failed-ratio-over"; readonly ratio: number; readonly requestsPerSecondMin: number; readonly windowMs: number }
  /** That quantile of time to first token over the window, over `seconds`. */
  | { readonly kind: "first-token-over"; readonly quantile: number; readonly seconds: number; readonly windowMs: number }
  | { readonly kind: "gauge-set"; readonly gauge: AlertGauge }
  /** No gateway's metrics are there. The only one that is not of a service. */
  | { readonly kind: "gateway-absent" };

export interface AlertRule {
  readonly name: string;
  readonly condition: AlertCondition;
  /** How long the condition must hold without a break before the alert fires; 0 = at once. */
  readonly forMs: number;
  /** critical = clients lose requests; warning = they may soon. */
  readonly severity: "critical" | "warning";
  /** What a receiver may do about it: a label, since alerts are routed by labels. The control plane itself moves nothing by it (ADR 0014). */
  readonly action: "failover" | "pre-wake" | "none";
  /** For people: one line, and what to do. `{{ $labels.service }}` is the service in Prometheus, and in `summaryFor`. */
  readonly summary: string;
  readonly description: string;
}

// One minute: a burst is out of the window before `for` has passed, so one bad second never fires; and an alert ends a minute after its cause.
const WINDOW_MS = 60_000;

export const ALERT_RULES: readonly AlertRule[] = [
  {
    name: "TidegateErrorRatioHigh",
    // Six requests a minute: below that one failure is a large ratio, and says little.
    condition: { kind: "failed-ratio-over", ratio: 0.05, requestsPerSecondMin: 0.1, windowMs: WINDOW_MS },
    forMs: 60_000,
    severity: "critical",
    action: "failover",
    summary: "More than 5 % of the requests of {{ $labels.service }} fail.",
    description: "What gateways see at once they have moved already. Look at `tidegate describe {{ $labels.service }}`.",
  },
  {
    name: "TidegateFirstTokenSlow",
    condition: { kind: "first-token-over", quantile: 0.95, seconds: 2, windowMs: WINDOW_MS },
    forMs: 120_000,
    severity: "warning",
    action: "pre-wake",
    summary: "p95 time to first token of {{ $labels.service }} is over 2 s.",
    description: "Its engines are full or slow: nothing is moved for that. Look at the queue of its engines, and at its overflow.",
  },
  {
    name: "TidegateRedundancyLost",
    condition: { kind: "gauge-set", gauge: "isRedundancyLost" },
    // A dead instance is usually back by then.
    forMs: 300_000,
    severity: "warning",
    action: "none",
    summary: "{{ $labels.service }} has fewer hot instances than asked for.",
    description: "The next loss costs more. `tidegate describe {{ $labels.service }}` says what its instances wait for.",
  },
  {
    name: "TidegateHeld",
    condition: { kind: "gauge-set", gauge: "isHeld" },
    forMs: 0,
    severity: "warning",
    action: "none",
    summary: "{{ $labels.service }} is held: its moves of this window are used up.",
    description:
      "Ready instances serve on; nothing is woken or started by itself. Find the cause, then `tidegate resume {{ $labels.service }}`.",
  },
  {
    name: "TidegateGatewayAbsent",
    condition: { kind: "gateway-absent" },
    forMs: 60_000,
    severity: "warning",
    action: "none",
    summary: "No gateway's metrics are there.",
    description: "Either no gateway runs, or nobody reads its page: then the other rules see nothing. `tidegate doctor` looks for both.",
  },
];

const REQUESTS = "tidegate_requests_total";
const FIRST_TOKEN = "tidegate_time_to_first_token_seconds";
/** Without labels, so that it is on a gateway's page before the first request. */
const GATEWAY = "tidegate_gateway_services";

/** The condition in PromQL, over what gateways and control plane export. */
export function expressionOf(condition: AlertCondition): string {
  switch (condition.kind) {
    case "failed-ratio-over": {
      const rate = (outcomes: readonly string[]): string =>
        `sum by (tenant, service) (rate(${REQUESTS}{outcome=~"${outcomes.join("|")}"}[${formatDuration(condition.windowMs)}]))`;
      const all = rate(JUDGED_OUTCOMES);
      return `${rate(FAILED_OUTCOMES)} / ${all} > ${condition.ratio} and ${all} > ${condition.requestsPerSecondMin}`;
    }
    case "first-token-over": {
      const buckets = `sum by (tenant, service, le) (rate(${FIRST_TOKEN}_bucket[${formatDuration(condition.windowMs)}]))`;
      return `histogram_quantile(${condition.quantile}, ${buckets}) > ${condition.seconds}`;
    }
    case "gauge-set":
      return `max by (service) (${ALERT_GAUGES[condition.gauge]}) == 1`;
    case "gateway-absent":
      return `absent(${GATEWAY})`;
  }
}

/** A rule's one line, with the service's name in it. */
export const summaryFor = (rule: AlertRule, service: string): string => rule.summary.replaceAll("{{ $labels.service }}", service);
