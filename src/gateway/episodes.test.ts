import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { EjectionCause, Episode, UpMessage } from "../api/link-message.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { epoch, generation, instanceName, monotonicMs, serviceName, tenantId, uid } from "../base/ids.ts";
import { HealthIndex } from "../routing/health.ts";
import { Episodes, type AffectedRequest } from "./episodes.ts";
import { createGatewayMetrics } from "./gateway-metrics.ts";
import { RouteStore } from "./route-store.ts";

const endpointOf = (number: number): RungEndpoint => ({
  instance: instanceName(`hot-${number}`),
  uid: uid(`uid-${number}`),
  generation: generation(1),
  address: { host: "127.0.0.1", port: 1 },
  engine: "simulated",
  upstreamModel: null,
  isReady: true,
  isAsleep: false,
  isWaking: false,
  weight: 1,
  maxBatch: 8,
  node: null,
  zone: null,
  fingerprint: "f",
  hasProgress: true,
  namesIds: true,
});
const ENDPOINTS = Array.from({ length: 12 }, (_, index) => endpointOf(index));
const TABLE: RouteTable = {
  uid: uid("service"),
  epoch: epoch(3),
  revision: 1,
  service: serviceName("gold"),
  tenant: tenantId("tenant-gold"),
  tier: "gold",
  models: ["m"],
  contextLength: 8_192,
  rungs: [{ level: "hot", activation: { kind: "none" }, endpoints: ENDPOINTS }],
  serveFrom: "hot",
  returnPercent: 0,
  knownAnswer: null,
  priority: 0,
  grants: { descent: "automatic", movesLeft: 3 },
  degraded: [],
  overflow: { inFlightRatio: 0.9, queuedForMs: 100 },
  limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, maxTokens: null },
  mirrorPercent: 0,
  rtoTargetMs: 15_000,
};

/** The clock of episodes alone: losses, tokens and ends are told by hand. */
class Ward {
  readonly clock = createSimulatedClock(1_000);
  readonly told: Episode[] = [];
  readonly metrics = createGatewayMetrics();
  readonly episodes: Episodes;

  /** @param process one gateway process after the other under the same name. */
  constructor(process: number = 1) {
    const routes = new RouteStore();
    routes.apply(TABLE);
    const link = {
      open: () => undefined,
      close: () => undefined,
      send: (message: UpMessage) => {
        if (message.type === "episode") this.told.push(message);
        return true;
      },
    };
    this.episodes = new Episodes({
      ports: { clock: this.clock, link, random: createSeededRandom(`process ${process}`) },
      routes,
      woken: new Set(),
      health: new HealthIndex(),
      metrics: this.metrics,
    });
    this.episodes.tablesChanged();
  }

  request(isStream = true): AffectedRequest {
    return { arrivedAt: this.clock.monotonicMs(), hasFirstByte: true, desk: { service: TABLE.service }, parsed: { isStream } };
  }

  lose(endpoint: RungEndpoint, cause: EjectionCause, requests: readonly AffectedRequest[]): void {
    const now = this.clock.monotonicMs();
    const calls = requests.map((request) => ({ request }));
    this.episodes.ejected(
      { endpoint, tableUid: TABLE.uid, lastByteAt: monotonicMs(now - 400), lastTokenAt: monotonicMs(now - 900), calls },
      cause,
    );
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      await this.clock.advance(Math.min(50, left));
      this.episodes.tick();
    }
  }
}

const HOT_0 = endpointOf(0);
const HOT_1 = endpointOf(1);

for (const { cause, faultMs } of [
  { cause: "silent", faultMs: 400 },
  { cause: "no-progress", faultMs: 900 },
  { cause: "reset", faultMs: 0 },
  { cause: "refused", faultMs: 0 },
] as const) {
  test(`the fault of an endpoint lost by ${cause} lies ${faultMs} ms before its ejection`, async () => {
    const ward = new Ward();
    const request = ward.request();
    await ward.pass(2_000);
    ward.lose(HOT_0, cause, [request]);
    ward.episodes.goodToken(request, { endpoint: HOT_1, level: "hot" }, ward.clock.monotonicMs());
    assert.equal(ward.told[0]?.faultAgeMs, faultMs);
    assert.equal(ward.told[0].detectedAgeMs, 0);
    assert.equal(ward.told[0].rtoMs, faultMs);
  });
}

test("a gateway that follows another under the same name does not number its losses as that one did", () => {
  const numbers = [1, 2].map((process) => {
    const ward = new Ward(process);
    ward.lose(endpointOf(0), "reset", [ward.request()]);
    ward.episodes.tick();
    return ward.told[0]?.number;
  });
  assert.ok(Number.isInteger(numbers[0]) && Number.isInteger(numbers[1]) && numbers[0] !== numbers[1], numbers.join(", "));
});

test("an answer in one piece that was broken off without a word is lost", async () => {
  const ward = new Ward();
  const [lost, told] = [ward.request(false), ward.request(true)];
  ward.lose(HOT_0, "reset", [lost, told]);
  ward.episodes.settled(lost, "stream-error");
  ward.episodes.settled(told, "stream-error");
  await ward.pass(200);
  assert.deepEqual([ward.told.at(-1)?.affected, ward.told.at(-1)?.lost, ward.told.at(-1)?.isOver], [2, 1, true]);
});

test("the target of an endpoint that was woken in the episode is ready when it was woken", async () => {
  const ward = new Ward();
  const request = ward.request();
  ward.lose(HOT_0, "reset", [request]);
  await ward.pass(300);
  ward.episodes.becameUsable(HOT_1);
  await ward.pass(100);
  ward.episodes.goodToken(request, { endpoint: HOT_1, level: "warm" }, ward.clock.monotonicMs());
  const last = ward.told.at(-1);
  assert.deepEqual([last?.to, last?.faultAgeMs, last?.targetReadyAgeMs, last?.firstGoodTokenAgeMs], ["warm", 400, 100, 0]);
});

test("more than eight losses that are open at once are added to the newest, and counted", async () => {
  const ward = new Ward();
  for (const endpoint of ENDPOINTS) {
    ward.lose(endpoint, "reset", [ward.request()]);
    await ward.pass(1_500);
  }
  const first = ward.told[0]?.number ?? 0;
  assert.deepEqual([...new Set(ward.told.map(({ number }) => number - first))], [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(ward.told.findLast(({ number }) => number === first + 7)?.affected, 5);
});

test("in any order of losses, tokens and ends every episode is over in the end, and lost are never more than affected", async () => {
  const event = fc.record({
    what: fc.constantFrom("lose", "fail", "hold", "token", "end", "usable", "wait"),
    endpoint: fc.integer({ min: 0, max: 11 }),
    request: fc.integer({ min: 0, max: 9 }),
    outcome: fc.constantFrom("ok", "stream-error", "refused", "client-gone", "client-error"),
    cause: fc.constantFrom("silent", "reset", "5xx", "no-progress"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 80 }), async (events) => {
      const ward = new Ward();
      const requests = Array.from({ length: 10 }, (_, index) => ward.request(index % 2 === 0));
      for (const { what, endpoint: at, request: whose, outcome, cause } of events) {
        const [endpoint, request] = [ENDPOINTS[at] ?? HOT_0, requests[whose] ?? ward.request()];
        const now = ward.clock.monotonicMs();
        if (what === "lose") ward.lose(endpoint, cause, requests.slice(whose));
        if (what === "fail") ward.episodes.attemptFailed(request, { endpoint, table: TABLE, since: now });
        if (what === "hold") ward.episodes.held(request, { ...TABLE, rungs: [] });
        if (what === "token") ward.episodes.goodToken(request, { endpoint, level: "hot" }, now);
        if (what === "end") ward.episodes.settled(request, outcome);
        if (what === "usable") ward.episodes.becameUsable(endpoint);
        if (what === "wait") await ward.pass(700);
      }
      await ward.pass(61_000);
      ward.told.length = 0;
      ward.episodes.repeatReports();
      for (const episode of ward.told) {
        assert.equal(episode.isOver, true);
        assert.ok(episode.lost <= episode.affected);
        assert.ok((episode.rtoMs ?? 0) <= 62_000);
      }
      assert.ok(ward.told.length <= 1);
    }),
    { numRuns: 60 },
  );
});
