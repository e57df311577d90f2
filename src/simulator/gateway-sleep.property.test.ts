import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { RouteTable } from "../api/route-table.ts";
import { generation } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const WARM = 9;

type Act =
  | { readonly kind: "ask"; readonly count: number; readonly isStream: boolean }
  | {
      readonly kind:
        | "kill-hot"
        | "hang-hot"
        | "restart-hot"
        | "kill-warm"
        | "restart-warm"
        | "garbage"
        | "take-to-sleep"
        | "agree"
        | "synced";
    }
  | { readonly kind: "wait"; readonly forMs: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("ask" as const), count: fc.integer({ min: 1, max: 12 }), isStream: fc.boolean() }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "kill-hot" as const,
        "hang-hot" as const,
        "restart-hot" as const,
        "kill-warm" as const,
        "restart-warm" as const,
        "garbage" as const,
        "take-to-sleep" as const,
        "agree" as const,
        "synced" as const,
      ),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), forMs: fc.integer({ min: 1, max: 1_500 }) }) },
);

/** One hot instance over one that may sleep, and a control plane that takes as it should: publish, then act. */
class SleepWorld {
  readonly rig = new GatewayRig();
  readonly clients: RigClient[] = [];
  #warm: "asleep" | "ready" | "gone" = "asleep";
  #hotGeneration = 1;
  #warmGeneration = 1;
  #revision = 1;

  async start(): Promise<void> {
    this.rig.engine(WARM).isAsleep = true;
    await this.rig.start(this.#table());
  }

  async perform(one: Act): Promise<void> {
    const [hot, warm] = [this.rig.engine(1), this.rig.engine(WARM)];
    switch (one.kind) {
      case "ask":
        for (let index = 0; index < one.count; index += 1) this.clients.push(this.rig.chat({ stream: one.isStream }));
        return;
      case "kill-hot":
        return hot.kill();
      case "hang-hot":
        hot.mode = "hung";
        return;
      case "restart-hot":
        hot.kill();
        hot.mode = "well";
        this.#hotGeneration += 1;
        return this.#publish();
      case "kill-warm":
        return warm.kill();
      case "restart-warm":
        warm.kill();
        warm.mode = "well";
        warm.isAsleep = true;
        warm.knownAnswer = "tide";
        this.#warmGeneration += 1;
        this.#warm = "asleep";
        return this.#publish();
      case "garbage":
        warm.knownAnswer = "!!!!";
        return;
      case "take-to-sleep":
        return this.#takeToSleep();
      case "agree":
        if (warm.isAsleep || warm.mode === "dead") return;
        this.#warm = "ready";
        return this.#publish();
      case "synced":
        return this.rig.tell({ type: "synced" });
      case "wait":
        await this.rig.clock.advance(one.forMs);
    }
  }

  async #takeToSleep(): Promise<void> {
    const warm = this.rig.engine(WARM);
    this.#warm = "gone";
    this.#publish();
    for (let waitedMs = 0; waitedMs < 5_000 && warm.openCount > 0; waitedMs += 50) await this.rig.clock.advance(50);
    if (warm.openCount === 0) warm.isAsleep = true;
    this.#warm = warm.isAsleep ? "asleep" : "ready";
    this.#publish();
  }

  #publish(): void {
    this.#revision += 1;
    this.rig.tell({ type: "table", table: this.#table() });
  }

  #table(): RouteTable {
    const warm = rigEndpoint(WARM, {
      generation: generation(this.#warmGeneration),
      isReady: this.#warm === "ready",
      isAsleep: this.#warm === "asleep",
      weight: 0,
      maxBatch: 4,
    });
    return rigTable([], {
      revision: this.#revision,
      knownAnswer: "tide",
      grants: { descent: "automatic", movesLeft: 1_000 },
      rungs: [
        {
          level: "hot",
          activation: { kind: "none" },
          endpoints: [rigEndpoint(1, { maxBatch: 4, generation: generation(this.#hotGeneration) })],
        },
        { level: "warm", activation: { kind: this.#warm === "asleep" ? "wake" : "none" }, endpoints: [warm] },
      ],
    });
  }
}

test("gateway: no order of losses, wakes and takings sends work to an engine that sleeps, or leaves a client without an end", async () => {
  let wakes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const world = new SleepWorld();
      await world.start();
      for (const one of acts) await world.perform(one);
      await world.rig.clock.advance(60_000);
      const warm = world.rig.engine(WARM);
      wakes += warm.wakes;
      assert.equal(warm.workWhileAsleep, 0);
      for (const client of world.clients) assert.equal(client.end_, "ended");
    }),
    { numRuns: 80, seed: 20_261_126 },
  );
  assert.ok(wakes > 20, `the property saw ${wakes} wakes`);
});
