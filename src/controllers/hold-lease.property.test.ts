import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { err } from "../base/result.ts";
import { LEASE_HOLD_MS, LEASE_TTL_MS } from "../failover/decide-lease.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import { acquireLease, type Lease } from "./hold-lease.ts";

/** One process: its timers and its answers wait while it stands still. */
class Contender {
  lease: Lease | null = null;
  readonly terms: number[] = [];
  readonly name: string;
  readonly #ending = new AbortController();
  #held: (() => void)[] = [];
  #isPaused = false;

  constructor(name: string, clock: SimulatedClock, store: ClusterStore) {
    this.name = name;
    const own: Pick<ClusterStore, "get" | "create" | "writeStatus"> = {
      get: (kind, object) => this.#answer(store.get(kind, object)),
      create: (draft) => this.#answer(store.create(draft)),
      writeStatus: (of, status, version) => this.#answer(store.writeStatus(of, status, version)),
    };
    const after: Clock["after"] = (delayMs, fire) => clock.after(delayMs, () => this.#run(fire));
    const sleep: Clock["sleep"] = (delayMs) => new Promise((resolve) => void after(delayMs, resolve));
    void this.#contend({ store: own, clock: { wallMs: () => clock.wallMs(), monotonicMs: () => clock.monotonicMs(), after, sleep } });
  }

  /** By its own look at its own clock: what it would find right before an act. */
  acts(): boolean {
    return this.lease?.isHeld() === true;
  }

  pause(): void {
    this.#isPaused = true;
  }
  resume(): void {
    this.#isPaused = false;
    const held = this.#held;
    this.#held = [];
    for (const act of held) act();
  }
  stop(): void {
    this.#ending.abort();
  }

  async #contend(ports: Parameters<typeof acquireLease>[0]): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const lease = await acquireLease(ports, { name: "leader", holder: this.name }, this.#ending.signal);
      if (lease === null) return;
      this.lease = lease;
      this.terms.push(lease.term);
      await new Promise<void>((resolve) => {
        if (lease.lost.aborted) resolve();
        else lease.lost.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  async #answer<Value>(asked: Promise<Value>): Promise<Value> {
    const value = await asked;
    await new Promise<void>((resolve) => this.#run(resolve));
    return value;
  }

  #run(act: () => void): void {
    if (this.#isPaused) this.#held.push(act);
    else act();
  }
}

type Trouble = "none" | "refused" | "lost-answer" | "slow";

/** The next calls fail, or their answers get lost, or take their time. */
function troubled(store: ClusterStore, clock: SimulatedClock, trouble: () => Trouble): ClusterStore {
  const through = async <Value, Failure>(call: () => Promise<{ ok: true; value: Value } | { ok: false; error: Failure }>) => {
    const now = trouble();
    if (now === "refused") return err({ code: "UNAVAILABLE", applied: "no", reason: "away" } as const);
    if (now === "slow") await new Promise<void>((resolve) => void clock.after(700, resolve));
    const answer = await call();
    if (now === "slow") await new Promise<void>((resolve) => void clock.after(700, resolve));
    return now === "lost-answer" ? err({ code: "UNAVAILABLE", applied: "unknown", reason: "broken" } as const) : answer;
  };
  return {
    ...store,
    get: (kind, name) => through(() => store.get(kind, name)),
    create: (draft) => through(() => store.create(draft)),
    writeStatus: (of, status, version) => through(() => store.writeStatus(of, status, version)),
  };
}

const step = fc.record({
  who: fc.integer({ min: 0, max: 2 }),
  what: fc.constantFrom("pause", "resume", "release", "refused", "lost-answer", "slow", "none"),
  forMs: fc.constantFrom(10, 300, 900, 1_000, 1_700, 2_699, 3_000, 3_100, 8_000),
});

test("in any order of pauses, failed renewals and lost answers at most one holder acts, and no term is held twice", async () => {
  let takeovers = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), async (steps) => {
      const clock = createSimulatedClock();
      let trouble: Trouble = "none";
      const store = troubled(createMemoryStore(clock), clock, () => trouble);
      const contenders = ["a", "b", "c"].map((name) => new Contender(name, clock, store));
      for (const { who, what, forMs } of steps) {
        const contender = contenders[who];
        if (what === "pause") contender?.pause();
        else if (what === "resume") contender?.resume();
        else if (what === "release") void contender?.lease?.release();
        else trouble = what;
        for (let leftMs = forMs; leftMs > 0; leftMs -= 50) {
          await clock.advance(Math.min(50, leftMs));
          const acting = contenders.filter((one) => one.acts()).map(({ name }) => name);
          assert.ok(acting.length <= 1, `${acting.join(" and ")} act at ${clock.monotonicMs()} ms`);
        }
      }
      const terms = contenders.flatMap((one) => one.terms);
      assert.equal(new Set(terms).size, terms.length, `terms ${terms.join(", ")}`);
      takeovers += Math.max(0, terms.length - 1);
      trouble = "none";
      for (const contender of contenders) contender.resume();
      await clock.advance(LEASE_TTL_MS * 3);
      assert.equal(contenders.filter((one) => one.acts()).length, 1, "somebody leads when nothing is in the way");
      for (const contender of contenders) contender.stop();
      await clock.advance(LEASE_HOLD_MS);
    }),
    { numRuns: 150, seed: 19 },
  );
  assert.ok(takeovers > 100, `${takeovers} takeovers`);
});
