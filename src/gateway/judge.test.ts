import assert from "node:assert/strict";
import test from "node:test";
import type { EjectionCause } from "../api/link-message.ts";
import { generation, instanceName, monotonicMs, serviceName, uid } from "../base/ids.ts";
import { HealthIndex } from "../routing/health.ts";
import { EndpointBoard, type EndpointWatch, type LiveCall } from "./endpoint-board.ts";
import type { Ejector } from "./ejector.ts";
import { Judge, TICK_MS } from "./judge.ts";
import type { Prober } from "./prober.ts";

const CALL: LiveCall = {
  request: null,
  isExcused: false,
  hasFirstByte: false,
  patience: () => null,
  waitingSince: monotonicMs(0),
  mayBeCut: false,
  lose: () => undefined,
};

/** One endpoint that owes an answer and answers nothing; time is moved by hand. */
class Courtroom {
  nowMs = 0;
  loopLagMs = 0;
  readonly ejected: EjectionCause[] = [];
  readonly #watches: readonly EndpointWatch[];
  readonly #judge: Judge;

  get isSelfSuspect(): boolean {
    return this.#judge.isSelfSuspect();
  }

  constructor(nodes = 1) {
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
    } as const;
    this.#watches = Array.from({ length: nodes }, (_one, index) =>
      board.watch({ ...endpoint, uid: uid(`u${index}`) }, { service: serviceName("s"), uid: uid("t") }, monotonicMs(0)),
    );
    for (const watch of this.#watches) watch.begin(CALL, monotonicMs(0));
    const prober: Pick<Prober, "probe" | "askReturn"> = {
      // Nobody answers: the time-out is told at once.
      probe: (watch) => {
        watch.lastProbeAt = monotonicMs(this.nowMs);
        watch.sawProbeTimeout(monotonicMs(this.nowMs));
      },
      askReturn: () => undefined,
    };
    const ejector: Pick<Ejector, "eject"> = { eject: (_watch, cause) => this.ejected.push(cause) };
    this.#judge = new Judge({
      ports: { clock: { monotonicMs: () => monotonicMs(this.nowMs) }, host: { loopLagMs: () => this.loopLagMs } },
      board,
      health: new HealthIndex(),
      ejector,
      prober,
    });
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
    for (const watch of this.#watches) watch.calls.clear();
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

test("judge: endpoints of three nodes that fall silent together make it suspect itself for a while", () => {
  const court = new Courtroom(3);
  assert.equal(court.isSelfSuspect, false);
  court.pass(700);
  assert.deepEqual(court.ejected, []);
  assert.equal(court.isSelfSuspect, true);
  court.answer();
  court.pass(1_900);
  assert.equal(court.isSelfSuspect, true);
  court.pass(200);
  assert.equal(court.isSelfSuspect, false);
});
