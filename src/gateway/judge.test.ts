import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { EjectionCause } from "../api/link-message.ts";
import { generation, instanceName, monotonicMs, serviceName, uid } from "../base/ids.ts";
import { HealthIndex } from "../routing/health.ts";
import { PROBE_EVERY_MS, SILENCE_MS } from "../routing/suspicion.ts";
import { EndpointBoard, type EndpointWatch, type LiveCall } from "./endpoint-board.ts";
import type { Ejector } from "./ejector.ts";
import { createGatewayMetrics } from "./gateway-metrics.ts";
import { Judge, TICK_MS } from "./judge.ts";
import type { Prober } from "./prober.ts";
import { SelfSuspicion } from "./self-suspicion.ts";

const CALL: LiveCall = {
  request: null,
  isExcused: false,
  hasFirstByte: false,
  patience: () => null,
  waitingSince: monotonicMs(0),
  mayBeCut: false,
  canGoOn: false,
  keepAlive: () => undefined,
  lose: () => undefined,
};

/** Endpoints that owe an answer and answer nothing; time is moved by hand. */
class Courtroom {
  nowMs = 0;
  loopLagMs = 0;
  /** When each was ejected. */
  readonly ejectedAtMs: number[] = [];
  readonly ejected: EjectionCause[] = [];
  readonly log: string[] = [];
  lookCount = 0;
  suspectedCount = 0;
  /** How an idle endpoint answers when all are asked; null = not at all. */
  witness: EndpointWatch | null = null;
  readonly #watches: readonly EndpointWatch[];
  readonly #judge: Judge;
  readonly #self: SelfSuspicion;

  get isSelfSuspect(): boolean {
    return this.#self.isSuspect();
  }

  /** @param idle endpoints that owe nothing. */
  constructor(nodes = 1, idle = 0) {
    const board = new EndpointBoard();
    const endpoint = {
      instance: instanceName("i"),
      uid: uid("u0"),
      generation: generation(1),
      address: { host: "127.0.0.1", port: 1 },
      engine: "simulated",
      upstreamModel: null,
      isReady: true,
      isAsleep: false,
      isWaking: false,
      weight: 1,
      maxBatch: 1,
      node: null,
      zone: null,
      fingerprint: "",
      hasProgress: true,
      namesIds: true,
    } as const;
    this.#watches = Array.from({ length: nodes + idle }, (_one, index) =>
      board.watch({ ...endpoint, uid: uid(`u${index}`) }, { service: serviceName("s"), uid: uid("t") }, monotonicMs(0)),
    );
    for (const watch of this.#watches.slice(0, nodes)) watch.begin(CALL, monotonicMs(0));
    const prober: Pick<Prober, "probe" | "askReturn"> = {
      // Nobody answers: the time-out is told at once.
      probe: (watch) => {
        watch.lastProbeAt = monotonicMs(this.nowMs);
        watch.sawProbeTimeout(monotonicMs(this.nowMs));
      },
      askReturn: () => undefined,
    };
    const health = new HealthIndex();
    const ejector: Pick<Ejector, "eject"> = {
      eject: (watch, cause) => {
        health.eject(watch.endpoint, [], { cause, now: monotonicMs(this.nowMs) });
        this.ejected.push(cause);
        this.ejectedAtMs.push(this.nowMs);
      },
    };
    const ports = {
      clock: { monotonicMs: () => monotonicMs(this.nowMs) },
      host: { loopLagMs: () => this.loopLagMs },
      eventLog: { record: ({ event }: { readonly event: string }) => this.log.push(event) },
    };
    const lookAround = (): void => {
      this.lookCount += 1;
      if (this.witness !== null) this.witness.heardAt = monotonicMs(this.nowMs);
    };
    this.#self = new SelfSuspicion({ ports, board, health, metrics: createGatewayMetrics(), lookAround });
    const suspected = (): number => (this.suspectedCount += 1);
    this.#judge = new Judge({ ports, board, health, ejector, prober, self: this.#self, suspected });
    this.#judge.reset();
  }

  pass(forMs: number): void {
    for (const untilMs = this.nowMs + forMs; this.nowMs < untilMs;) {
      this.nowMs += TICK_MS;
      this.#judge.tick();
    }
  }

  /** Every answer that is owed comes. */
  answer(): void {
    for (const watch of this.#watches) {
      watch.sawByte(monotonicMs(this.nowMs));
      watch.calls.clear();
    }
  }

  endpoint(index: number): EndpointWatch {
    const watch = this.#watches[index];
    assert.ok(watch !== undefined);
    return watch;
  }

  /** The loop was blocked: one late tick, and a host that remembers it. */
  block(forMs: number): void {
    this.nowMs += forMs;
    this.loopLagMs = forMs;
    this.#judge.tick();
  }
}

test("judge: silence and two unanswered probes condemn", () => {
  const court = new Courtroom();
  court.pass(500);
  assert.deepEqual(court.ejected, []);
  court.pass(100);
  assert.equal(court.ejected[0], "silent");
});

test("judge: after a late tick only what is seen since counts, however long the host remembers it", () => {
  const court = new Courtroom();
  court.pass(500);
  court.block(400);
  court.pass(500);
  assert.deepEqual(court.ejected, []);
  court.pass(100);
  assert.equal(court.ejected[0], "silent");
});

test("judge: a lag that the host reports and no late tick explains judges nobody", () => {
  const court = new Courtroom();
  court.loopLagMs = 300;
  court.pass(5_000);
  assert.deepEqual(court.ejected, []);
  court.loopLagMs = 0;
  court.pass(600);
  assert.equal(court.ejected[0], "silent");
});

test("judge: endpoints of three nodes that fall silent together make it suspect itself for a while, though others are heard", () => {
  const court = new Courtroom(3, 1);
  court.witness = court.endpoint(3);
  assert.equal(court.isSelfSuspect, false);
  court.pass(700);
  assert.deepEqual(court.ejected, []);
  assert.equal(court.isSelfSuspect, true);
  court.answer();
  court.pass(1_900);
  assert.equal(court.isSelfSuspect, true);
  court.pass(200);
  assert.equal(court.isSelfSuspect, false);
  assert.deepEqual(court.log, ["gateway.suspects-itself", "gateway.trusts-itself"]);
});

test("judge: who hears nobody at all ejects nobody, and suspects itself until it hears somebody", () => {
  const court = new Courtroom(1, 1);
  court.pass(30_000);
  assert.deepEqual([court.ejected, court.isSelfSuspect], [[], true]);
  // The others are asked again and again, but not each tick.
  assert.ok(court.lookCount > 30_000 / 250 / 2 && court.lookCount <= 30_000 / 250, `${court.lookCount} looks`);
  court.witness = court.endpoint(1);
  // Who was silent meanwhile is judged by what is seen from now on.
  court.pass(550);
  assert.deepEqual([court.ejected, court.isSelfSuspect], [[], false]);
  court.pass(400);
  assert.deepEqual(court.ejected, ["silent"]);
  assert.deepEqual(court.log, ["gateway.suspects-itself", "gateway.trusts-itself"]);
});

test("judge: an idle witness is asked in time, so that a silent endpoint is out no later", () => {
  const court = new Courtroom(1, 1);
  court.witness = court.endpoint(1);
  court.pass(600);
  assert.deepEqual([court.ejected, court.isSelfSuspect, court.log], [["silent"], false, []]);
});

test("judge: a witness that was heard before the last question in vain is none", () => {
  const court = new Courtroom(1, 1);
  court.pass(500);
  court.endpoint(1).heardAt = monotonicMs(court.nowMs);
  court.pass(300);
  assert.deepEqual([court.ejected, court.isSelfSuspect], [[], true]);
});

const anyPauses = fc.array(
  fc.record({ afterMs: fc.integer({ min: 1, max: 20 }).map((ticks) => ticks * TICK_MS), forMs: fc.integer({ min: 201, max: 5_000 }) }),
  { maxLength: 12 },
);

test("judge: whatever pauses we make, nobody is out before our own loop ran well for as long as it takes to find a death", () => {
  const foundAfterMs = SILENCE_MS + PROBE_EVERY_MS;
  fc.assert(
    fc.property(anyPauses, (pauses) => {
      const court = new Courtroom();
      let wellSinceMs = 0;
      for (const { afterMs, forMs } of pauses) {
        court.pass(afterMs);
        if (court.ejected.length > 0) break;
        court.block(forMs);
        wellSinceMs = court.nowMs;
        assert.deepEqual(court.ejected, []);
      }
      for (const atMs of court.ejectedAtMs) assert.ok(atMs - wellSinceMs >= foundAfterMs, `out at ${atMs}, well since ${wellSinceMs}`);
      // And a real death is found all the same.
      court.loopLagMs = 0;
      court.pass(2 * foundAfterMs);
      assert.deepEqual(court.ejected, ["silent"]);
    }),
    { numRuns: 500, seed: 20_261_126 },
  );
});
