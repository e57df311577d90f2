import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { generation } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

type Act =
  | { readonly kind: "ask"; readonly isStream: boolean }
  | { readonly kind: "leave" }
  | { readonly kind: "kill" | "stop" | "hang" | "go-on" | "restart"; readonly port: number }
  | {
      readonly kind: "break";
      readonly port: number;
      readonly tokens: number;
      readonly how: "reset" | "end" | "half-frame" | "garbage" | "error-event";
    }
  | { readonly kind: "wait"; readonly forMs: number };

const port = fc.integer({ min: 1, max: 3 });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("ask" as const), isStream: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("kill" as const, "stop" as const, "hang" as const, "go-on" as const, "restart" as const),
      port,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("break" as const),
      port,
      tokens: fc.integer({ min: 0, max: 5 }),
      how: fc.constantFrom("reset" as const, "end" as const, "half-frame" as const, "garbage" as const, "error-event" as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), forMs: fc.integer({ min: 1, max: 700 }) }) },
);

/** Three engines behind one service, and what is done to them. */
class World {
  readonly rig = new GatewayRig();
  readonly clients: RigClient[] = [];
  readonly left = new Set<RigClient>();
  readonly #generations = [1, 1, 1];
  #revision = 1;

  async start(): Promise<void> {
    await this.rig.start(this.#table());
  }

  async perform(one: Act): Promise<void> {
    switch (one.kind) {
      case "ask":
        this.clients.push(this.rig.chat({ stream: one.isStream }));
        return;
      case "leave": {
        const open = this.clients.find((client) => client.end_ === "open" && !this.left.has(client));
        if (open === undefined) return;
        this.left.add(open);
        open.events?.gone();
        return;
      }
      case "kill":
        return this.rig.engine(one.port).kill();
      case "stop":
        return this.rig.engine(one.port).stop();
      case "hang":
        this.rig.engine(one.port).mode = "hung";
        return;
      case "go-on":
        return this.rig.engine(one.port).goOn();
      case "restart":
        return this.restart(one.port);
      case "break":
        this.rig.engine(one.port).breakAfter = one;
        return;
      case "wait":
        await this.rig.clock.advance(one.forMs);
    }
  }

  /** As the control plane does: the old process is ended, the new generation published. */
  restart(which: number): void {
    const engine = this.rig.engine(which);
    engine.kill();
    engine.mode = "well";
    engine.breakAfter = null;
    this.#generations[which - 1] = (this.#generations[which - 1] ?? 0) + 1;
    this.#revision += 1;
    this.rig.tell({ type: "table", table: this.#table() });
  }

  #table(): ReturnType<typeof rigTable> {
    const hot = this.#generations.map((count, index) => rigEndpoint(index + 1, { generation: generation(count) }));
    return rigTable(hot, { revision: this.#revision });
  }
}

/** Tokens in order, each once, and an end that says what it is. */
function checkAnswer(client: RigClient): void {
  assert.equal(client.end_, "ended");
  const tokens = [...client.text.matchAll(/"content":"t(\d) "/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    tokens,
    tokens.map((_token, index) => index),
  );
  if (client.status !== 200) {
    assert.match(client.text, /^\{"error":\{/);
  } else if (client.header("content-type") === "application/json") {
    assert.match(client.text, /^\{"choices":.*\}$/);
  } else if (client.wholeStream === null) {
    assert.match(client.text, /data: \{"error":\{[^\n]*\}\n\n$/);
    assert.ok(!client.text.includes("[DONE]"));
  } else {
    assert.equal(tokens.length, 5);
    assert.ok(!client.text.includes('"error"'));
  }
}

test("gateway: whatever happens to the engines, each client gets one answer that says what it is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
      const world = new World();
      await world.start();
      for (const one of acts) await world.perform(one);
      await world.rig.clock.advance(10);
      for (const which of [1, 2, 3]) world.restart(which);
      await world.rig.clock.advance(20_000);
      for (const client of world.clients) if (!world.left.has(client)) checkAnswer(client);
      // Nothing is left behind: no call, no held request, no place taken.
      for (const which of [1, 2, 3]) assert.equal(world.rig.engine(which).openCount, 0);
      await world.rig.clock.advance(1_000);
      const counts = world.rig.sentUp.findLast((message) => message.type === "counts");
      assert.equal(counts?.services[0]?.inFlight ?? 0, 0);
      assert.equal(counts?.services[0]?.requests ?? 0, world.clients.length);
    }),
    { numRuns: 60, seed: 20_261_125 },
  );
});
