import { assert } from "../base/assert.ts";
import { gatewayId, generation, instanceName, serviceName, uid } from "../base/ids.ts";
import type { JsonObject } from "../base/json.ts";
import type { FailoverRecord, LadderPlace, RecordAction } from "../api/failover-record.ts";
import type { DownMessage, EjectionCause, UpMessage } from "../api/link-message.ts";
import { parseFailoverRecord } from "../api/parse-failover-record.ts";
import { parseServiceStatus } from "../api/parse-service-status.ts";
import type { ResourceDraft } from "../api/resource.ts";
import type { RouteTable } from "../api/route-table.ts";
import type { ServiceStatus } from "../api/service-status.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { GatewayHub, GatewayHubEvents } from "../ports/gateway-link.ts";
import type { GatewayProcesses } from "../ports/gateway-processes.ts";
import type { Random } from "../ports/random.ts";
import { FakePlatform } from "./fake-platform.ts";
import { createLinkController } from "./link-controller.ts";
import { startLoop } from "./run-loop.ts";
import { createStandbyController, serviceOfPartition, type StandbyPorts } from "./standby-controller.ts";

// For tests of the loops: one service, one gateway, partitions placed by hand.

/** Warm rests asleep, a cold reserve is bound, and what came back serves again after a second. */
export const LADDER: JsonObject = {
  warmStandby: { gpuCount: 1, memoryReserved: "40GB", rest: "asleep", lend: "never" },
  coldStandby: { memoryReserved: "40GB" },
  failoverPolicy: { failback: { soak: "1s" } },
};

export const GOLD: JsonObject = {
  tenant: "tenant-gold",
  tier: "platinum",
  model: { name: "tide-8b", engine: "simulated", revision: "r1", weights: "16GB", contextLength: 8192 },
  hotStandby: { gpuCount: 2, memoryReserved: "80GB" },
  warmStandby: { gpuCount: 1, memoryReserved: "40GB" },
};

/** A gateway that leaves has ended. */
const NO_GATEWAY_PROCESSES: GatewayProcesses = { running: () => [], watch: () => () => false };

/** One gateway that acknowledges every table, unless it is told to be silent. */
export class FakeGateway {
  readonly pid = 1;
  readonly told: DownMessage[] = [];
  readonly hub: GatewayHub;
  isSilent = false;
  readonly #id = gatewayId("gateway-0");
  #events: GatewayHubEvents | null = null;

  constructor() {
    this.hub = {
      listen: async (events) => void (this.#events = events),
      send: (_to, message) => this.#hear(message),
      close: async () => undefined,
    };
  }

  join(): void {
    this.#events?.joined(this.#id, { type: "hello", gateway: this.#id, pid: this.pid, address: "127.0.0.1:8080" });
  }

  leave(): void {
    this.#events?.left(this.#id);
  }

  say(message: UpMessage): void {
    this.#events?.message(this.#id, message);
  }

  /** It woke an instance by itself, or could not. */
  activated(instance: string, of: number, outcome: "awake" | "failed", because: "lost" | "saturated" = "lost"): void {
    const named = { service: serviceName("gold"), instance: instanceName(instance), uid: uid("any"), generation: generation(of) };
    this.say({ type: "rung-activated", ...named, because, outcome, reason: outcome === "awake" ? "" : "it answers 500", ageMs: 0 });
  }

  report(instance: string, of: number, cause: EjectionCause): void {
    const named = { service: serviceName("gold"), instance: instanceName(instance), uid: uid("any"), generation: generation(of) };
    this.say({ type: "ejected", ...named, cause, ageMs: 0 });
  }

  /** The last table that it was told. */
  table(): RouteTable {
    const table = this.told.flatMap((message) => (message.type === "table" ? [message.table] : [])).at(-1);
    assert(table !== undefined, "a table was published");
    return table;
  }

  /** `gold-hot-1` and so on: what requests may go to now. */
  ready(): readonly string[] {
    return this.table().rungs.flatMap((rung) => rung.endpoints.flatMap((endpoint) => (endpoint.isReady ? [endpoint.instance] : [])));
  }

  #hear(message: DownMessage): void {
    this.told.push(message);
    if (message.type !== "table" || this.isSilent) return;
    const { uid: of, epoch, revision } = message.table;
    void Promise.resolve().then(() => this.say({ type: "ack", uid: of, epoch, revision }));
  }
}

export class FakeControlWorld {
  readonly platform: FakePlatform;
  readonly gateway = new FakeGateway();
  readonly #ports: { readonly clock: Clock; readonly store: ClusterStore; readonly random: Random };

  constructor(ports: { readonly clock: Clock; readonly store: ClusterStore; readonly random: Random }) {
    this.#ports = ports;
    this.platform = new FakePlatform(ports.clock);
  }

  /** Creates or changes a resource, and its status where one is given; again when the loops wrote meanwhile. */
  async put(draft: Pick<ResourceDraft, "kind" | "name" | "spec">, status: JsonObject | null = null): Promise<void> {
    const { store } = this.#ports;
    const full = { labels: {}, annotations: {}, ...draft };
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const old = await store.get(draft.kind, draft.name);
      const written = old.ok ? await store.writeSpec(full, old.value.version) : await store.create(full);
      if (written.ok && (status === null || (await store.writeStatus(draft, status, written.value.version)).ok)) return;
    }
    assert(false, `${draft.kind} ${draft.name} is written`);
  }

  putGold(change: JsonObject = {}): Promise<void> {
    return this.put({ kind: "HotStandbyConfig", name: "gold", spec: { ...GOLD, ...change } });
  }

  /** As the partition-controller would; null = no GPU was found. */
  place(instance: string, gpu: number | null): Promise<void> {
    const at = gpu === null ? {} : { node: "gpu-a", gpu };
    const claim = { tenant: "tenant-gold", service: "gold", instance, mode: "exclusive", memory: "40GB", computePercent: 100, ...at };
    const refusal = { code: "NO_CAPACITY", what: "No GPU is free.", why: "All are taken.", next: "Add one." };
    const name = `tenant-gold-gpu-partition-${instance}-0`;
    return this.put({ kind: "GPUPartition", name, spec: claim }, gpu === null ? { phase: "Pending", refusal } : { phase: "Bound" });
  }

  async placeAll(names: readonly string[] = ["gold-hot-1", "gold-hot-2", "gold-warm-1"]): Promise<void> {
    await Promise.all(names.map((instance, gpu) => this.place(instance, gpu)));
  }

  /** @param through what the loops see the world through; absent = as it is. */
  async startControlPlane(through: Partial<StandbyPorts & { readonly hub: GatewayHub }> = {}) {
    const log = { record: () => undefined };
    const { launcher, driver, upstream } = this.platform;
    const ports = {
      ...this.#ports,
      launcher,
      driver,
      upstream,
      log,
      stateId: "state-1",
      hub: this.gateway.hub,
      gatewayProcesses: NO_GATEWAY_PROCESSES,
      ...through,
    };
    const link = createLinkController(ports, {
      ejected: (report) => standby.report(report),
      activated: (report) => standby.activated(report),
      episode: (service) => loop.kick(service),
      acknowledged: (service) => loop.kick(service),
    });
    const standby = createStandbyController({ ...ports, desk: link }, (name) => loop.kick(name));
    for (const table of await standby.storedTables()) link.publish(table);
    const loop = startLoop(
      {
        name: "standby",
        namesOf: ({ kind, name }) =>
          kind === "HotStandbyConfig" ? [name] : kind === "GPUPartition" ? [serviceOfPartition(name) ?? name] : [],
        firstNames: () => standby.names(),
        reconcile: (name) => standby.reconcile(name),
      },
      ports,
    );
    await link.open();
    this.gateway.join();
    return {
      stop: async () => {
        await loop.stop();
        await standby.stop();
      },
    };
  }

  /** An operator's command, as the admin stores it. */
  request(name: string, action: RecordAction, to: LadderPlace | null = null): Promise<void> {
    const spec = { service: "gold", action, from: "hot", to, cause: "operator", requestedBy: "operator" };
    return this.put({ kind: "FailoverRecord", name, spec });
  }

  /** Every FailoverRecord by name. */
  async records(): Promise<ReadonlyMap<string, FailoverRecord>> {
    const listed = await this.#ports.store.list("FailoverRecord");
    assert(listed.ok, "records are listed");
    return new Map(
      listed.value.items.map((resource) => {
        const record = parseFailoverRecord(resource);
        assert(record.ok, `${resource.name} is readable`);
        return [resource.name, record.value];
      }),
    );
  }

  async status(): Promise<ServiceStatus> {
    const resource = await this.#ports.store.get("HotStandbyConfig", "gold");
    assert(resource.ok, "the config is there");
    const parsed = parseServiceStatus(resource.value.status);
    assert(parsed.ok, "its status is readable");
    return parsed.value;
  }

  /** `gold-hot-1/2 Ready`: name, generation, state. */
  async states(): Promise<readonly string[]> {
    return (await this.status()).instances.map((instance) => `${instance.name}/${instance.generation} ${instance.state}`);
  }
}
