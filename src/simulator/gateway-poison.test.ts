import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { SUSPECT_FOR_MS } from "../admission/suspect-bodies.ts";
import type { RouteTable, RungEndpoint } from "../api/route-table.ts";
import { generation, nodeName, serviceName, uid } from "../base/ids.ts";
import { GatewayRig, rigEndpoint, rigTable, type RigClient } from "./gateway-rig.ts";

const POISON = "open the sluice";
const PORTS = [1, 2, 3, 4];

/** Engines behind one service, each on its own node if not said otherwise, and what is done to them. */
class Fleet {
  readonly rig = new GatewayRig();
  readonly #change: (port: number) => Partial<RungEndpoint>;
  readonly #generations = new Map<number, number>();
  #revision = 1;

  constructor(change: (port: number) => Partial<RungEndpoint> = (port) => ({ node: nodeName(`node-${port}`) })) {
    this.#change = change;
    for (const port of PORTS) Object.assign(this.rig.engine(port), { prefillMs: 2_000, diesOf: { text: POISON, afterMs: 700 } });
  }

  async start(...others: readonly RouteTable[]): Promise<void> {
    await this.rig.start(this.#table(), ...others);
  }

  ask(content: string, stream = false): RigClient {
    return this.rig.chat({ stream, messages: [{ role: "user", content }] });
  }

  /** Engines that live make a step each 50 ms. */
  async work(forMs: number): Promise<void> {
    for (let passed = 0; passed < forMs; passed += 50) {
      for (const engine of this.rig.engines.values()) if (engine.mode === "well") engine.steps += 1;
      await this.rig.clock.advance(50);
    }
  }

  /** The only engine that lives and works. */
  busy(): number {
    const found = PORTS.filter((port) => this.rig.engine(port).mode === "well" && this.rig.engine(port).openCount > 0);
    assert.equal(found.length, 1);
    return found[0] ?? 0;
  }

  /** As the control plane does: a new process, a new generation. */
  restart(port: number): void {
    const engine = this.rig.engine(port);
    engine.kill();
    engine.mode = "well";
    this.#generations.set(port, (this.#generations.get(port) ?? 1) + 1);
    this.#revision += 1;
    this.rig.tell({ type: "table", table: this.#table() });
  }

  restartDead(): number {
    const dead = PORTS.filter((port) => this.rig.engine(port).mode === "dead");
    for (const port of dead) this.restart(port);
    return dead.length;
  }

  get asked(): number {
    return PORTS.reduce((sum, port) => sum + this.rig.engine(port).work.length, 0);
  }

  #table(): RouteTable {
    const hot = PORTS.map((port) => rigEndpoint(port, { generation: generation(this.#generations.get(port) ?? 1), ...this.#change(port) }));
    return rigTable(hot, { revision: this.#revision });
  }
}

function assertQuarantined(client: RigClient): void {
  assert.equal(client.status, 422, client.text);
  assert.match(client.text, /^\{"error":\{"message":"[^"]+","type":"invalid_request_error","param":null,"code":"request_quarantined"\}\}$/);
  assert.equal(client.header("x-should-retry"), "false");
}

const quarantines = (fleet: Fleet): unknown[] =>
  fleet.rig.log.filter(({ event }) => event === "gateway.request-quarantined").map(({ fields }) => [fields["because"], fields["attempts"]]);

test("poison: a request that kills two engines on two nodes is refused, and the others live", async () => {
  const fleet = new Fleet();
  await fleet.start();
  const client = fleet.ask(POISON);
  const innocent = fleet.ask("how high is the tide");
  await fleet.work(4_000);
  assertQuarantined(client);
  assert.equal(innocent.status, 200);
  assert.equal(PORTS.filter((port) => fleet.rig.engine(port).mode === "dead").length, 2);
  assert.deepEqual(quarantines(fleet), [["killed-engines", 2]]);
  assert.match(fleet.rig.gateway.metricsText(), /tidegate_requests_quarantined_total\{service="gold",because="killed-engines"\} 1\n/);
  assert.match(
    fleet.rig.gateway.metricsText(),
    /tidegate_requests_total\{tenant="tenant-gold",service="gold",outcome="upstream-error"\} 1\n/,
  );
  assert.ok(!JSON.stringify(fleet.rig.log).includes(POISON));
});

test("poison: the same body is tried once more and then refused at once, until it is forgotten", async () => {
  const fleet = new Fleet();
  await fleet.start();
  fleet.ask(POISON);
  await fleet.work(3_000);
  assert.equal(fleet.restartDead(), 2);
  const trial = fleet.ask(POISON);
  const beside = fleet.ask(POISON);
  assertQuarantined(beside);
  await fleet.work(3_000);
  assertQuarantined(trial);
  assert.equal(fleet.restartDead(), 1);
  const askedBefore = fleet.asked;
  assertQuarantined(fleet.ask(POISON));
  assert.equal(fleet.asked, askedBefore);
  assert.match(fleet.rig.gateway.metricsText(), /tidegate_requests_total\{tenant="tenant-gold",service="gold",outcome="quarantined"\} 2\n/);
  const other = fleet.ask("low water");
  await fleet.work(3_000);
  assert.equal(other.status, 200);
  await fleet.rig.clock.advance(SUSPECT_FOR_MS);
  const later = fleet.ask(POISON);
  assert.equal(later.status, null);
  assert.equal(fleet.asked, askedBefore + 2);
});

/** Kills whoever works on the only open request, `times` times, each after it has worked for a while. */
async function killUnder(fleet: Fleet, times: number, workMs = 800): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    await fleet.work(workMs);
    fleet.rig.engine(fleet.busy()).kill();
    await fleet.rig.clock.advance(1);
  }
}

test("poison: a body that was there by chance is cleared by its one more try", async () => {
  const fleet = new Fleet();
  await fleet.start();
  const unlucky = fleet.ask("how high is the tide");
  await killUnder(fleet, 2);
  await fleet.work(500);
  assertQuarantined(unlucky);
  const again = fleet.ask("how high is the tide");
  await fleet.work(3_000);
  assert.equal(again.status, 200);
  const both = [fleet.ask("how high is the tide"), fleet.ask("how high is the tide")];
  await fleet.work(3_000);
  assert.deepEqual(
    both.map(({ status }) => status),
    [200, 200],
  );
});

const innocents: readonly { readonly name: string; readonly change: (port: number) => Partial<RungEndpoint> }[] = [
  { name: "one node", change: () => ({ node: nodeName("node-a") }) },
  { name: "one zone", change: (port) => ({ node: nodeName(`node-${port}`), zone: "az-1" }) },
  { name: "one host without nodes", change: () => ({ node: null }) },
];
for (const { name, change } of innocents) {
  test(`poison: two deaths on ${name} blame no request`, async () => {
    const fleet = new Fleet(change);
    await fleet.start();
    const client = fleet.ask("how high is the tide");
    await killUnder(fleet, 2);
    await fleet.work(3_000);
    assert.equal(client.status, 200);
    assert.deepEqual(quarantines(fleet), []);
  });
}

test("poison: a second engine that dies before it made a step for the request blames nobody", async () => {
  const fleet = new Fleet();
  await fleet.start();
  const client = fleet.ask("how high is the tide");
  await killUnder(fleet, 1);
  await killUnder(fleet, 1, 100);
  await fleet.work(3_000);
  assert.equal(client.status, 200);
});

test("poison: deaths that other services share blame no request", async () => {
  const fleet = new Fleet();
  const ports = [11, 12];
  const hot = ports.map((port) => rigEndpoint(port, { node: nodeName(`node-${port}`) }));
  await fleet.start(rigTable(hot, { uid: uid("s-platinum"), service: serviceName("platinum"), models: ["tide-70b"] }));
  const client = fleet.ask("how high is the tide");
  for (const port of ports) {
    await fleet.work(800);
    fleet.rig.engine(port).kill();
    fleet.rig.engine(fleet.busy()).kill();
    await fleet.rig.clock.advance(1);
  }
  await fleet.work(3_000);
  assert.equal(client.status, 200);
  assert.deepEqual(quarantines(fleet), []);
});

test("poison: a service that loses all its engines at once, again and again, blames none of the bodies that its clients send anew", async () => {
  const fleet = new Fleet();
  for (const port of PORTS) Object.assign(fleet.rig.engine(port), { prefillMs: 50, tokenCount: 40 });
  await fleet.start();
  for (let count = 0; count < 4; count += 1) {
    const cut = PORTS.map(() => fleet.ask("how high is the tide", true));
    await fleet.work(300);
    for (const port of PORTS) fleet.rig.engine(port).kill();
    await fleet.work(500);
    assert.ok(cut.every(({ text }) => text.includes('"code":"upstream_lost"')));
    assert.equal(fleet.restartDead(), PORTS.length);
    await fleet.work(1_500);
  }
  const whole = PORTS.map(() => fleet.ask("how high is the tide", true));
  await fleet.work(3_000);
  assert.deepEqual(
    whole.map(({ status }) => status),
    PORTS.map(() => 200),
  );
  assert.deepEqual(quarantines(fleet), []);
});

test("poison: connections that break while their engines live blame no request", async () => {
  const fleet = new Fleet();
  await fleet.start();
  const client = fleet.ask("how high is the tide");
  for (let count = 0; count < 2; count += 1) {
    await fleet.work(800);
    const engine = fleet.rig.engine(fleet.busy());
    engine.kill();
    engine.mode = "well";
    await fleet.rig.clock.advance(1);
  }
  await fleet.work(3_000);
  assert.equal(client.status, 200);
  assert.deepEqual(quarantines(fleet), []);
});

test("poison: a hung engine that answers health counts as a death", async () => {
  const fleet = new Fleet();
  await fleet.start();
  // Of what was before the gateway it knows nothing, and a hang may have begun at the last token.
  await fleet.work(200);
  const client = fleet.ask("how high is the tide");
  for (let count = 0; count < 2; count += 1) {
    await fleet.work(800);
    fleet.rig.engine(fleet.busy()).mode = "hung";
    await fleet.work(1_700);
  }
  await fleet.work(500);
  assertQuarantined(client);
});

test("poison: a stream that is lost after its first byte is held against its body, and the third engine is the last", async () => {
  const fleet = new Fleet();
  for (const port of PORTS)
    Object.assign(fleet.rig.engine(port), { prefillMs: 50, tokenCount: 100, diesOf: { text: POISON, afterMs: 300 } });
  await fleet.start();
  const lost: RigClient[] = [];
  for (let count = 0; count < 3; count += 1) {
    lost.push(fleet.ask(POISON, true));
    await fleet.work(1_000);
  }
  for (const client of lost) assert.match(client.text, /"code":"upstream_lost"\}\}\n\n$/);
  assertQuarantined(fleet.ask(POISON, true));
  await fleet.work(1_000);
  assert.equal(PORTS.filter((port) => fleet.rig.engine(port).mode === "dead").length, 3);
});

test("poison: a stream that was cut once and then answered is forgotten", async () => {
  const fleet = new Fleet();
  for (const port of PORTS) Object.assign(fleet.rig.engine(port), { prefillMs: 50, tokenCount: 20 });
  await fleet.start();
  for (let count = 0; count < 3; count += 1) {
    const cut = fleet.ask("how high is the tide", true);
    await fleet.work(200);
    fleet.rig.engine(fleet.busy()).kill();
    await fleet.work(500);
    assert.match(cut.text, /"code":"upstream_lost"/);
    const whole = fleet.ask("how high is the tide", true);
    await fleet.work(1_000);
    assert.ok(whole.wholeStream !== null);
  }
  assert.deepEqual(quarantines(fleet), []);
});

test("poison: a client that leaves while it is decided leaves nothing behind", async () => {
  const fleet = new Fleet();
  await fleet.start();
  const client = fleet.ask(POISON);
  await fleet.work(1_400);
  assert.equal(PORTS.filter((port) => fleet.rig.engine(port).mode === "dead").length, 2);
  client.events?.gone();
  await fleet.work(2_000);
  assert.equal(client.status, null);
  const counts = fleet.rig.sentUp.findLast((message) => message.type === "counts");
  assert.deepEqual([counts?.services[0]?.inFlight, counts?.services[0]?.requests], [0, 1]);
  for (const port of PORTS) assert.equal(fleet.rig.engine(port).openCount, 0);
});

test("poison: whatever dies on one node, nobody is ever quarantined", async () => {
  const act = fc.record({
    port: fc.constantFrom(...PORTS),
    kind: fc.constantFrom("kill", "restart", "ask", "ask-stream", "ask-poison"),
    afterMs: fc.integer({ min: 1, max: 900 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 10, maxLength: 40 }), async (acts) => {
      const fleet = new Fleet(() => ({ node: nodeName("node-a") }));
      await fleet.start();
      for (const { kind, port, afterMs } of acts) {
        if (kind === "kill") fleet.rig.engine(port).kill();
        else if (kind === "restart") fleet.restart(port);
        else fleet.ask(kind === "ask-poison" ? POISON : "how high is the tide", kind === "ask-stream");
        await fleet.work(afterMs);
      }
      await fleet.work(2_000);
      assert.deepEqual(quarantines(fleet), []);
    }),
    { numRuns: 25, seed: 20_261_126 },
  );
});
