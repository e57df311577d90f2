import { test } from "node:test";
import assert from "node:assert/strict";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";
import type { Upstream } from "../ports/upstream.ts";
import { FakeControlWorld } from "./fake-control-world.ts";

/** Ends one control plane at its n-th act (a store write or a launcher call), just before or just after it is done. */
class CrashSwitch {
  acts = 0;
  isDead = false;
  readonly died: Promise<void>;
  readonly #at: number;
  readonly #moment: "before" | "after";
  #tellDied = (): void => undefined;

  constructor(at: number, moment: "before" | "after") {
    this.#at = at;
    this.#moment = moment;
    this.died = new Promise((resolve) => {
      this.#tellDied = resolve;
    });
  }

  /** A dead process gets no answer, and asks nothing. */
  async act<Value>(perform: () => Promise<Value>): Promise<Value> {
    if (this.isDead) return forever();
    const isLast = this.acts === this.#at;
    this.acts += 1;
    if (!isLast) return this.read(perform);
    this.isDead = true;
    this.#tellDied();
    if (this.#moment === "after") await perform();
    return forever();
  }

  async read<Value>(perform: () => Promise<Value>): Promise<Value> {
    if (this.isDead) return forever();
    const value = await perform();
    return this.isDead ? forever() : value;
  }
}
const forever = <Value>(): Promise<Value> => new Promise(() => undefined);

function through(
  of: CrashSwitch,
  ports: { store: ClusterStore; launcher: EngineLauncher; upstream: Upstream; clock: Clock; hub: GatewayHub },
) {
  const { store, launcher, upstream, clock, hub } = ports;
  const unless =
    <Given extends readonly unknown[]>(act: (...given: Given) => void) =>
    (...given: Given): void => {
      if (!of.isDead) act(...given);
    };
  const mortalStore: ClusterStore = {
    ...store,
    get: (kind, name) => of.read(() => store.get(kind, name)),
    list: (kind) => of.read(() => store.list(kind)),
    writeStatus: (target, status, version) => of.act(() => store.writeStatus(target, status, version)),
    watch: (listener) => store.watch(unless(listener)),
  };
  const mortalLauncher: EngineLauncher = {
    observe: () => of.read(() => launcher.observe()),
    ensure: (plan) => of.act(() => launcher.ensure(plan)),
    remove: (instance, graceMs) => of.act(() => launcher.remove(instance, graceMs)),
    onExit: (listener) => launcher.onExit(unless(listener)),
  };
  const mortalUpstream: Upstream = {
    call: (to, request, events) =>
      upstream.call(to, request, {
        head: unless((status, headers) => events.head(status, headers)),
        data: unless((lent) => events.data(lent)),
        end: unless(() => events.end()),
        failed: unless((failure) => events.failed(failure)),
      }),
  };
  const mortalClock: Clock = {
    ...clock,
    after: (delayMs, fire) => clock.after(delayMs, unless(fire)),
    sleep: (delayMs, signal) => of.read(() => clock.sleep(delayMs, signal)),
  };
  const mortalHub: GatewayHub = {
    listen: (events) =>
      hub.listen({
        joined: unless((gateway, hello) => events.joined(gateway, hello)),
        message: unless((from, message) => events.message(from, message)),
        left: unless((gateway) => events.left(gateway)),
      }),
    send: unless((to, message) => hub.send(to, message)),
    close: () => hub.close(),
  };
  return { store: mortalStore, launcher: mortalLauncher, upstream: mortalUpstream, clock: mortalClock, hub: mortalHub };
}

const CHANGED = { model: { name: "tide-8b", engine: "simulated", revision: "r2", weights: "16GB", contextLength: 8192 } };
const CHANGED_AND_SMALLER = { ...CHANGED, hotStandby: { gpuCount: 1, memoryReserved: "40GB" } };

/** Start, a death, a changed model, a scale-down: with a crash at one act, and a new control plane 100 ms later. */
async function runScenario(crashAt: number, moment: "before" | "after") {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const world = new FakeControlWorld({ clock, store, random: createSeededRandom(1) });
  const { launcher, upstream } = world.platform;
  const crash = new CrashSwitch(crashAt, moment);
  await world.putGold();
  await world.placeAll();
  const control = through(crash, { store, launcher, upstream, clock, hub: world.gateway.hub });
  void crash.died.then(() => clock.after(100, () => void world.startControlPlane()));
  void world.startControlPlane(control);
  await clock.advance(1_000);
  if (world.platform.engines.size === 3) world.platform.kill("gold-hot-1");
  await clock.advance(1_000);
  await world.putGold(CHANGED);
  await clock.advance(4_000);
  await world.putGold(CHANGED_AND_SMALLER);
  await clock.advance(3_000);
  return { world, crash };
}

test("whatever act the control plane ends at, its successor converges with one engine an instance and no orphan", async () => {
  const undisturbed = await runScenario(Number.POSITIVE_INFINITY, "before");
  const acts = undisturbed.crash.acts;
  assert.ok(acts > 25, `${acts} acts`);
  for (let at = 0; at < acts; at += 1) {
    for (const moment of ["before", "after"] as const) {
      const { world } = await runScenario(at, moment);
      const where = `crash ${moment} act ${at}`;
      const { instances, level } = await world.status();
      assert.deepEqual(
        instances.map((instance) => `${instance.name} ${instance.state}`),
        ["gold-hot-1 Ready", "gold-warm-1 Ready"],
        where,
      );
      assert.equal(level, "hot", where);
      assert.deepEqual([...world.platform.engines.keys()].toSorted(), ["gold-hot-1", "gold-warm-1"], where);
      for (const { name, uid, generation, pid } of instances) {
        const engine = world.platform.engine(name);
        assert.deepEqual([engine.plan.uid, engine.plan.generation, engine.pid], [uid, generation, pid], where);
        assert.equal(engine.plan.model.revision, "r2", where);
      }
      assert.deepEqual(world.gateway.ready(), ["gold-hot-1", "gold-warm-1"], where);
    }
  }
});
