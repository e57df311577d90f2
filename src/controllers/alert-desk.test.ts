import { test } from "node:test";
import assert from "node:assert/strict";
import type { JudgedOutcome } from "../api/alert-counters.ts";
import { NONE_RETURNED, type ServiceCounts } from "../api/link-message.ts";
import { gatewayId, monotonicMs, serviceName } from "../base/ids.ts";
import { ZERO } from "../failover/fake-alert-series.ts";
import type { LoggedEvent } from "../ports/event-log.ts";
import { createAlertDesk } from "./alert-desk.ts";

const GOLD = serviceName("gold");
const ONE = gatewayId("gateway-1");
const OTHER = gatewayId("gateway-2");
const RATIO = "TidegateErrorRatioHigh";
const CALM = { isHeld: false, isRedundancyLost: false };

const countsOf = (outcomes: Partial<Record<JudgedOutcome, number>>): ServiceCounts => ({
  service: GOLD,
  requests: 0,
  failed: 0,
  inFlight: 0,
  promptTokens: 0,
  outputTokens: 0,
  firstTokenP99Ms: null,
  returned: NONE_RETURNED,
  alertCounters: { ...ZERO, outcomes: { ...ZERO.outcomes, ...outcomes } },
});

function createWorld() {
  const logged: LoggedEvent[] = [];
  const desk = createAlertDesk({ record: (event) => void logged.push(event) });
  return {
    desk,
    events: () => logged.map(({ event, fields: { service, alert } }) => ({ event, service, alert })),
    /** Each second of a span. */
    tell: (
      gateway: typeof ONE,
      [fromSecond, toSecond]: readonly [number, number],
      of: (second: number) => Partial<Record<JudgedOutcome, number>>,
    ): void => {
      for (let second = fromSecond; second < toSecond; second += 1)
        desk.count(gateway, [countsOf(of(second))], monotonicMs(second * 1_000));
    },
    firing: (second: number, gauges: typeof CALM | null = CALM) =>
      desk.look(GOLD, gauges, monotonicMs(second * 1_000)).map(({ name }) => name),
    state: (second: number, alert: string) => desk.all(monotonicMs(second * 1_000)).find((view) => view.alert === alert)?.state,
  };
}

test("what gateways count makes an alert fire and resolve, and both are logged once", () => {
  const { tell, firing, events } = createWorld();
  tell(ONE, [0, 100], (second) => ({ ok: second * 9, refused: second }));
  assert.deepEqual(firing(100), [RATIO]);
  tell(ONE, [100, 300], (second) => ({ ok: second * 9, refused: 100 }));
  assert.deepEqual(firing(300), []);
  assert.deepEqual(events(), [
    { event: "alert.firing", service: "gold", alert: RATIO },
    { event: "alert.resolved", service: "gold", alert: RATIO },
  ]);
});

test("two gateways of a service are judged together", () => {
  const { desk, tell, firing } = createWorld();
  for (let second = 0; second < 100; second += 1) {
    desk.count(ONE, [countsOf({ refused: second })], monotonicMs(second * 1_000));
    desk.count(OTHER, [countsOf({ ok: second * 30 })], monotonicMs(second * 1_000));
  }
  assert.deepEqual(firing(100), []);
  tell(OTHER, [100, 300], (second) => ({ ok: second * 30, refused: (second - 100) * 2 }));
  assert.deepEqual(firing(300), [RATIO]);
});

test("a gateway that has left counts until its last minute is over", () => {
  const { tell, firing } = createWorld();
  tell(ONE, [0, 100], (second) => ({ refused: second }));
  assert.deepEqual(firing(150), [RATIO]);
  assert.deepEqual(firing(160), []);
});

test("a gateway that does not say what alerts need is not judged, and harms no other", () => {
  const { desk, tell, firing } = createWorld();
  tell(ONE, [0, 100], (second) => ({ refused: second }));
  desk.count(OTHER, [{ ...countsOf({}), alertCounters: null }], monotonicMs(100_000));
  assert.deepEqual(firing(100), [RATIO]);
});

test("a look says what the status says, and that holds for five minutes when no look follows", () => {
  const { firing, state } = createWorld();
  assert.deepEqual(firing(0, { isHeld: true, isRedundancyLost: false }), ["TidegateHeld"]);
  assert.equal(state(300, "TidegateHeld"), "firing");
  assert.equal(state(301, "TidegateHeld"), "resolved");
  assert.deepEqual(firing(302, null), []);
});

test("counts that waited and arrive all at once are one sample, and judge as if the others had been lost", () => {
  const { desk, tell, firing } = createWorld();
  tell(ONE, [0, 100], (second) => ({ refused: second }));
  for (let second = 100; second < 200; second += 1) desk.count(ONE, [countsOf({ refused: second })], monotonicMs(200_000));
  for (let second = 0; second < 3; second += 1) desk.count(OTHER, [countsOf({ ok: second })], monotonicMs(200_000));
  tell(OTHER, [201, 203], (second) => ({ ok: second, refused: second }));
  assert.deepEqual(firing(202), []);
  tell(OTHER, [203, 264], (second) => ({ ok: second, refused: second }));
  assert.deepEqual(firing(264), [RATIO]);
});

test("a service that is forgotten has no alerts, the platform's stay and are logged", () => {
  const { desk, firing, events } = createWorld();
  firing(0, { isHeld: true, isRedundancyLost: false });
  desk.forget(GOLD);
  desk.lookPlatform(null, monotonicMs(60_000));
  assert.deepEqual(desk.all(monotonicMs(60_000)), [{ service: null, alert: "TidegateGatewayAbsent", state: "pending" }]);
  desk.lookPlatform(null, monotonicMs(120_000));
  assert.equal(desk.all(monotonicMs(120_000))[0]?.state, "firing");
  assert.deepEqual(events().at(-1), { event: "alert.firing", service: "", alert: "TidegateGatewayAbsent" });
});
