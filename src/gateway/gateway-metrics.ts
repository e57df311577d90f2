import { FIRST_TOKEN_BOUNDS_SECONDS, type JudgedOutcome } from "../api/alert-counters.ts";
import {
  createRegistry,
  type CounterHandle,
  type GaugeHandle,
  type HistogramHandle,
  type Metric,
  type MetricRegistry,
} from "../base/metric.ts";

/** How a request ended: a closed set. stream-error = by an error event after its first byte. */
export type Outcome =
  | JudgedOutcome
  /** Answered by the model of a degraded step. */
  | "degraded"
  | "client-error"
  | "limited"
  /** Refused unseen, because engines died under the same body. */
  | "quarantined"
  | "client-gone";

// Fine below a second, where re-routes are; then the promises of the tiers: 5, 15 and 60 seconds.
export const RECOVERY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 15, 30, 60];

export interface GatewayMetrics {
  readonly registry: MetricRegistry;
  readonly requests: Metric<CounterHandle>;
  readonly firstToken: Metric<HistogramHandle>;
  readonly attempts: Metric<CounterHandle>;
  readonly ejections: Metric<CounterHandle>;
  readonly ejectionsWithheld: Metric<CounterHandle>;
  readonly ejectionSeconds: Metric<GaugeHandle>;
  readonly returns: Metric<CounterHandle>;
  readonly recovery: Metric<HistogramHandle>;
  readonly mirrored: Metric<CounterHandle>;
  readonly inFlight: Metric<GaugeHandle>;
  readonly held: Metric<GaugeHandle>;
  readonly unrouted: Metric<CounterHandle>;
  readonly limitHits: Metric<CounterHandle>;
  readonly wakes: Metric<CounterHandle>;
  readonly sheds: Metric<CounterHandle>;
  readonly services: Metric<GaugeHandle>;
  readonly journalBytes: Metric<GaugeHandle>;
  readonly degraded: Metric<CounterHandle>;
  readonly quarantined: Metric<CounterHandle>;
  readonly selfSuspicions: Metric<CounterHandle>;
}

export function createGatewayMetrics(): GatewayMetrics {
  const registry = createRegistry();
  return {
    registry,
    requests: registry.counter("tidegate_requests_total", "Requests by how they ended.", ["tenant", "service", "outcome"]),
    firstToken: registry.histogram(
      "tidegate_time_to_first_token_seconds",
      "Of streams: from the request's head to the first token written to the client.",
      ["tenant", "service"],
      FIRST_TOKEN_BOUNDS_SECONDS,
    ),
    attempts: registry.counter("tidegate_attempts_total", "Calls to engines, by level and reason.", ["service", "level", "because"]),
    ...ejectionMetrics(registry),
    recovery: registry.histogram(
      "tidegate_recovery_seconds",
      "Of requests that a loss concerned: from the fault, or their arrival if later, to their next good token from another instance.",
      ["service"],
      RECOVERY_SECONDS,
    ),
    mirrored: registry.counter(
      "tidegate_mirrored_requests_total",
      "Copies of requests to a resident warm instance, by how they ended; skipped = too many were open there.",
      ["service", "outcome"],
    ),
    inFlight: registry.gauge("tidegate_requests_in_flight", "Requests that are open now.", ["tenant", "service"]),
    held: registry.gauge("tidegate_requests_held", "Requests that wait for an endpoint.", ["tenant", "service"]),
    unrouted: registry.counter("tidegate_unrouted_requests_total", "Requests refused before they had a service.", ["reason"]),
    wakes: registry.counter("tidegate_gateway_wakes_total", "Sleeping instances that the gateway woke, by reason and outcome.", [
      "service",
      "because",
      "outcome",
    ]),
    sheds: registry.counter("tidegate_requests_shed_total", "Requests refused by the last of the degraded steps.", ["service"]),
    services: registry.gauge("tidegate_gateway_services", "Services that this gateway has a route table of."),
    journalBytes: registry.gauge("tidegate_journal_bytes", "Kept of streams that run, so that another instance could go on with them."),
    degraded: registry.counter(
      "tidegate_requests_degraded_total",
      "Requests handed to the model of a degraded step, by the service that lent its free room.",
      ["service", "by"],
    ),
    quarantined: registry.counter(
      "tidegate_requests_quarantined_total",
      "Requests not tried (again), because engines died under them: killed-engines, or under the same body: same-body.",
      ["service", "because"],
    ),
    selfSuspicions: registry.counter(
      "tidegate_gateway_self_suspicions_total",
      "Times that this gateway took engines' silence for its own fault: nobody is heard: cut-off, or most of several nodes are silent: most-silent.",
      ["because"],
    ),
    limitHits: registry.counter("tidegate_limit_hits_total", "Times that a limit of the gateway was hit.", ["limit"]),
  };
}

function ejectionMetrics(
  registry: MetricRegistry,
): Pick<GatewayMetrics, "ejections" | "ejectionsWithheld" | "ejectionSeconds" | "returns"> {
  return {
    ejections: registry.counter("tidegate_ejections_total", "Endpoints taken out of the choice.", ["service", "instance", "cause"]),
    ejectionsWithheld: registry.counter(
      "tidegate_ejections_withheld_total",
      "Bad answers after which an endpoint stayed in, for a small share, because half of its service's are out for such already.",
      ["service", "instance", "cause"],
    ),
    ejectionSeconds: registry.gauge(
      "tidegate_ejection_seconds",
      "For so long at least an ejected endpoint is out: doubled with each repetition, halved by each ten healthy seconds; 0 = it is in.",
      ["service", "instance"],
    ),
    returns: registry.counter("tidegate_ejection_returns_total", "Ejected endpoints that answered a probe and came back.", [
      "service",
      "instance",
    ]),
  };
}
