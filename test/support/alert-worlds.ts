import fc from "fast-check";
import { ALERT_GAUGES, type AlertGauge } from "../../src/api/alert-rules.ts";
import { later, type MonotonicMs } from "../../src/base/ids.ts";
import { evaluateAlerts, evaluatePlatformAlerts, type AlertStates } from "../../src/failover/evaluate-alerts.ts";
import {
  gaugeSeries,
  heardAt,
  playPhases,
  samplesUntil,
  scrapedSeries,
  type Phase,
  type Step,
} from "../../src/failover/fake-alert-series.ts";
import type { FakeSeries } from "../../src/failover/fake-prometheus.ts";

/** One service `s` with its gateways, some minutes long. */
export interface AlertWorld {
  readonly stepMs: number;
  /** The evaluation looks so long after each scrape. */
  readonly offsetMs: number;
  readonly gateways: readonly (readonly Step[])[];
  /** By step. */
  readonly gauges: readonly Readonly<Record<AlertGauge, boolean>>[];
}

const phase: fc.Arbitrary<Phase> = fc.record({
  stepCount: fc.integer({ min: 1, max: 50 }),
  scrape: fc.constantFrom("told", "told", "told", "told", "told", "told", "missing", "gone"),
  isRestart: fc.constantFrom(false, false, false, true),
  ok: fc.integer({ min: 0, max: 30 }),
  failed: fc.constantFrom(0, 0, 1, 2, 10),
  fastTokens: fc.constantFrom(0, 1, 20, 40),
  slowTokens: fc.constantFrom(0, 0, 1, 2, 5),
});
const gaugePhase = fc.record({ stepCount: fc.integer({ min: 1, max: 120 }), isHeld: fc.boolean(), isRedundancyLost: fc.boolean() });

export const alertWorlds = (times: {
  readonly stepMs: readonly number[];
  readonly offsetMs: readonly number[];
}): fc.Arbitrary<AlertWorld> =>
  fc
    .record({
      stepMs: fc.constantFrom(...times.stepMs),
      offsetMs: fc.constantFrom(...times.offsetMs),
      gateways: fc.array(fc.array(phase, { minLength: 2, maxLength: 8 }), { minLength: 1, maxLength: 2 }),
      gauges: fc.array(gaugePhase, { minLength: 1, maxLength: 4 }),
    })
    .map(({ stepMs, offsetMs, gateways, gauges }) => {
      const played = gateways.map((phases) => playPhases(phases, stepMs));
      const flags = gauges.flatMap(({ stepCount, ...set }) => Array.from({ length: stepCount }, () => set));
      const last = flags.at(-1) ?? { isHeld: false, isRedundancyLost: false };
      const stepCount = Math.max(...played.map((steps) => steps.length));
      return { stepMs, offsetMs, gateways: played, gauges: Array.from({ length: stepCount }, (_none, index) => flags[index] ?? last) };
    });

/** What Prometheus would scrape of it. */
export const seriesOfWorld = ({ stepMs, gateways, gauges }: AlertWorld): readonly FakeSeries[] => [
  ...gateways.flatMap((steps, index) => scrapedSeries(steps, `gateway-${index}`)),
  gaugeSeries(
    ALERT_GAUGES.isHeld,
    gauges.map(({ isHeld }) => isHeld),
    stepMs,
  ),
  gaugeSeries(
    ALERT_GAUGES.isRedundancyLost,
    gauges.map(({ isRedundancyLost }) => isRedundancyLost),
    stepMs,
  ),
];

/** What the control plane makes of what the gateways report, after each step. */
export function* evaluateWorld(world: AlertWorld): Generator<{ readonly atMs: MonotonicMs; readonly states: AlertStates }> {
  const { stepMs, offsetMs, gateways, gauges } = world;
  let service: AlertStates = new Map();
  let platform: AlertStates = new Map();
  let atMs = later(gateways[0]?.[0]?.atMs ?? never(), offsetMs);
  for (const flags of gauges) {
    const [heardAtMs = null] = gateways.flatMap((steps) => heardAt(steps, atMs) ?? []).toSorted((one, other) => other - one);
    service = evaluateAlerts(service, { gateways: gateways.map((steps) => samplesUntil(steps, atMs)), gauges: flags }, atMs);
    platform = evaluatePlatformAlerts(platform, heardAtMs, atMs);
    yield { atMs, states: new Map([...service, ...platform]) };
    atMs = later(atMs, stepMs);
  }
}

function never(): never {
  throw new Error("a world has a gateway with a step");
}
