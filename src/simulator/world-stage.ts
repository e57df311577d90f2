import { createHttpFaultInjector } from "../adapters/fault-injector/http.ts";
import { failoverRecordSpec, parseFailoverRecord } from "../api/parse-failover-record.ts";
import type { FailoverRecord, RecordAction } from "../api/failover-record.ts";
import type { Level } from "../api/hot-standby-config.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import { assert } from "../base/assert.ts";
import { nodeName, serviceName } from "../base/ids.ts";
import type { RunningEngine } from "../ports/engine-launcher.ts";
import type { FaultInjector } from "../ports/fault-injector.ts";
import { nodesOf, type GpuLossPlace, type Scenario, type ScenarioEvent, type Setting, type SignalEvent } from "./scenario.ts";
import { draftsOf, firstSettings, modelOf, serviceDraft, withSetting, type Settings } from "./scenario-drafts.ts";
import type { ScenarioStage, StageClient, StageEvent } from "./scenario-stage.ts";
import { partyOf } from "./world-engine.ts";
import { startWorld, type World } from "./world.ts";

/** A new key has reached the gateway. */
const KEY_MS = 250;
/** A control plane that is to die at its next write dies without one after so long. */
const CRASH_WITHIN_MS = 500;

/** The scenario's platform in a simulated world. The same seed gives the same run. */
export async function startWorldStage(scenario: Scenario, seed: number): Promise<WorldStage> {
  return new WorldStage(scenario, await startWorld(seed, draftsOf(scenario)));
}

export class WorldStage implements ScenarioStage {
  readonly world = "simulator";
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #keys = new Map<string, string>();
  readonly #settings = new Map<string, Settings>();
  readonly #faults: FaultInjector;
  readonly #engines = new Map<string, RunningEngine>();
  readonly #refused: string[] = [];
  #requestCount = 0;
  #isControlPlaneAway = false;

  constructor(scenario: Scenario, world: World) {
    this.#scenario = scenario;
    this.#world = world;
    this.#faults = createHttpFaultInjector({
      upstream: world.upstreamOf("drill"),
      clock: world.clock,
      addressOf: (instance) => this.#engines.get(instance)?.address ?? null,
    });
  }

  get platform(): World {
    return this.#world;
  }

  nowMs(): number {
    return this.#world.clock.monotonicMs();
  }

  wait(durationMs: number): Promise<void> {
    return this.#world.clock.advance(durationMs);
  }

  async statuses(): Promise<ReadonlyMap<string, ServiceStatus> | null> {
    // What is stored is older than the truth, and the admin API that would tell it is away too.
    if (this.#isControlPlaneAway) return null;
    const listed = await this.#world.store.list("HotStandbyConfig");
    if (!listed.ok) return null;
    const statuses = new Map<string, ServiceStatus>();
    for (const { name, status } of listed.value.items) {
      const parsed = status === null ? null : parseServiceStatus(status);
      if (parsed !== null && parsed.ok) statuses.set(name, parsed.value);
    }
    return statuses;
  }

  async records(): Promise<readonly FailoverRecord[]> {
    if (this.#isControlPlaneAway) return [];
    const listed = await this.#world.store.list("FailoverRecord");
    assert(listed.ok, "the store answers");
    return listed.value.items.flatMap((resource) => {
      const record = parseFailoverRecord(resource);
      return record.ok ? [record.value] : [];
    });
  }

  async clientOf(service: string, purpose: string): Promise<StageClient> {
    const { clock, log } = this.#world;
    let key = this.#keys.get(service);
    if (key === undefined) {
      key = await this.#world.createKey(service);
      this.#keys.set(service, key);
      await clock.advance(KEY_MS);
    }
    const ports = { clock, log, random: this.#world.chance(purpose), upstream: this.#world.upstreamOf(purpose) };
    return { ports, load: { gateway: this.#world.gatewayAddress, key, model: modelOf(service) } };
  }

  async perform(event: StageEvent): Promise<string | null> {
    const world = this.#world;
    world.log.record({ level: "info", event: "scenario.event", fields: { atMs: this.nowMs(), kind: event.kind } });
    switch (event.kind) {
      case "kill":
      case "stop":
      case "continue":
      case "fault":
        return this.#toEngines(event);
      case "lose":
      case "slow-teardown":
        this.#harmGpus(event);
        return null;
      case "xid":
        return this.#fail(event);
      case "kill-control-plane":
        this.#isControlPlaneAway = true;
        await world.stopControlPlane();
        return null;
      case "start-control-plane":
        await world.startControlPlane();
        this.#isControlPlaneAway = false;
        return null;
      case "restart-control-plane":
        await world.crashControlPlane("after", CRASH_WITHIN_MS);
        return null;
      case "kill-gateway":
        await world.restartGateway();
        return null;
      case "cut-link":
        world.cutLink();
        world.clock.after(event.forMs, () => world.restoreLink());
        return null;
      case "failover":
        return this.#ask("failover", event.service, event.to);
      case "failback":
        return this.#ask("failback", event.service, "hot");
      case "resume":
        return this.#ask("resume", event.service, null);
      case "set":
        return this.#set(event.service, event.setting);
    }
  }

  async stop(): Promise<readonly string[]> {
    await this.#world.stop();
    const openCount = this.#world.network.openCount();
    return [...this.#refused, ...(openCount === 0 ? [] : [`${openCount} connections`])];
  }

  async #toEngines(event: SignalEvent | Extract<ScenarioEvent, { kind: "fault" }>): Promise<string | null> {
    const running = await this.#world.launcher.observe();
    const missing = event.targets.find((target) => !running.some(({ instance }) => isTarget(instance, target)));
    if (missing !== undefined) return `no engine ${missing} runs`;
    const engines = running.filter(({ instance }) => event.targets.some((target) => isTarget(instance, target)));
    for (const engine of engines) {
      const party = partyOf(engine.instance, engine.generation);
      this.#engines.set(engine.instance, engine);
      if (event.kind === "fault") this.#order(engine.instance, event);
      else if (event.kind === "kill") this.#world.launcher.kill(engine.instance, "SIGKILL");
      else if (event.kind === "stop") this.#world.network.freeze(party);
      else this.#world.network.thaw(party);
    }
    return null;
  }

  /** The answer comes while time passes, which it does not in here. */
  #order(instance: RunningEngine["instance"], { fault, forMs }: Extract<ScenarioEvent, { kind: "fault" }>): void {
    void this.#faults.ensure(instance, fault, forMs).then((ordered) => {
      if (!ordered.ok) this.#refused.push(`${instance} takes no ${fault.kind}: ${ordered.error.reason}`);
    });
  }

  #harmGpus(event: Extract<ScenarioEvent, { kind: "lose" | "slow-teardown" }>): void {
    const { account } = this.#world;
    for (const { node: name, gpu } of placesOf(this.#scenario, event.place)) {
      const at = { node: nodeName(name), gpu };
      const done =
        event.kind === "lose"
          ? account.loseGpus({ kind: "gpu-lost", mode: event.mode, ...at }, event.forMs)
          : account.slowTeardown({ kind: "slow-teardown", ...at, teardownMs: event.teardownMs }, event.forMs);
      assert(done.ok, "the GPU is in the inventory");
    }
  }

  async #fail({ mode, targets }: Extract<ScenarioEvent, { kind: "xid" }>): Promise<string | null> {
    const seen = await this.#world.account.driver.observe();
    const held = (seen.ok ? seen.value : []).flatMap(({ node, gpu, holders }) => holders.map(({ instance }) => ({ node, gpu, instance })));
    const missing = targets.find((target) => !held.some(({ instance }) => isTarget(instance, target)));
    if (missing !== undefined) return `no engine ${missing} holds a GPU`;
    for (const victim of held.filter(({ instance }) => targets.some((target) => isTarget(instance, target))))
      this.#world.account.failApplication({ kind: "gpu-fault", mode, ...victim });
    return null;
  }

  async #ask(action: RecordAction, service: string, to: Level | null): Promise<string | null> {
    this.#requestCount += 1;
    const from = (await this.statuses())?.get(service)?.level ?? "degraded";
    const spec = failoverRecordSpec({ service: serviceName(service), action, from, to, cause: "operator", requestedBy: "operator" });
    const name = `request-${action}-${this.#requestCount}`;
    const created = await this.#world.store.create({ kind: "FailoverRecord", name, labels: {}, annotations: {}, spec });
    return created.ok ? null : created.error.code;
  }

  async #set(name: string, setting: Setting): Promise<string | null> {
    const service = this.#scenario.services.find((one) => one.name === name);
    const stored = await this.#world.store.get("HotStandbyConfig", name);
    if (service === undefined || !stored.ok) return `there is no service ${name}`;
    const settings = withSetting(this.#settings.get(name) ?? firstSettings(service), setting);
    this.#settings.set(name, settings);
    const written = await this.#world.store.writeSpec(serviceDraft(service, settings), stored.value.version);
    return written.ok ? null : written.error.code;
  }
}

/** `gold-hot-*` = every instance whose name begins so. */
export const isTarget = (instance: string, target: string): boolean =>
  target.endsWith("*") ? instance.startsWith(target.slice(0, -1)) : instance === target;

/** gpu: null = every GPU of the node. */
export function placesOf(scenario: Scenario, place: GpuLossPlace): readonly { readonly node: string; readonly gpu: number | null }[] {
  switch (place.kind) {
    case "gpu":
      return [{ node: place.node, gpu: place.gpu }];
    case "node":
      return [{ node: place.node, gpu: null }];
    case "zone":
      return nodesOf(scenario)
        .filter(({ zone }) => zone === place.zone)
        .map(({ name }) => ({ node: name, gpu: null }));
  }
}
