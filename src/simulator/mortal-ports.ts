import type { ControlPorts } from "../controllers/start-controllers.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import type { Upstream } from "../ports/upstream.ts";

/** `before`: the next write is not there. `after`: it is there, and its writer never hears of it. */
export type CrashPoint = "before" | "after";

/** What one life of a control plane touches the world by. After its death nothing that it asks is done, and no answer comes back. */
export interface MortalPorts {
  readonly ports: ControlPorts;
  die(): void;
  /** Dies at its next write to the store; `died` is called then. */
  dieAtWrite(point: CrashPoint, died: () => void): void;
}

const NEVER = new Promise<never>(() => undefined);
const NO_CALL = { pause: () => undefined, resume: () => undefined, abort: () => undefined };

export function createMortalPorts(ports: ControlPorts): MortalPorts {
  let isDead = false;
  let crash: { readonly point: CrashPoint; readonly died: () => void } | null = null;

  /** The dead neither ask nor hear. */
  async function ask<Value>(call: () => Promise<Value>): Promise<Value> {
    if (isDead) return NEVER;
    const value = await call();
    return isDead ? NEVER : value;
  }
  async function write<Value>(call: () => Promise<Value>): Promise<Value> {
    if (crash === null || isDead) return ask(call);
    const { point, died } = crash;
    crash = null;
    if (point === "before") isDead = true;
    const writing = ask(call);
    isDead = true;
    died();
    return writing;
  }
  return {
    ports: {
      ...ports,
      store: mortalStore(ports.store, ask, write),
      launcher: mortalLauncher(ports.launcher, ask),
      driver: mortalDriver(ports.driver, ask),
      upstream: mortalUpstream(ports.upstream, () => isDead),
      hub: mortalHub(ports.hub, () => isDead),
      log: { record: (event) => (isDead ? undefined : ports.log.record(event)) },
    },
    die: () => {
      isDead = true;
    },
    dieAtWrite: (point, died) => {
      crash = { point, died };
    },
  };
}

type Ask = <Value>(call: () => Promise<Value>) => Promise<Value>;

const mortalStore = (store: ClusterStore, ask: Ask, write: Ask): ClusterStore => ({
  get: (kind, name) => ask(() => store.get(kind, name)),
  list: (kind) => ask(() => store.list(kind)),
  create: (draft) => write(() => store.create(draft)),
  writeSpec: (draft, version) => write(() => store.writeSpec(draft, version)),
  writeStatus: (of, status, version) => write(() => store.writeStatus(of, status, version)),
  remove: (kind, name) => write(() => store.remove(kind, name)),
  applyAll: (changes) => write(() => store.applyAll(changes)),
  watch: (listener) => store.watch(listener),
  close: () => ask(() => store.close()),
});

const mortalLauncher = (launcher: EngineLauncher, ask: Ask): EngineLauncher => ({
  observe: () => ask(() => launcher.observe()),
  ensure: (plan) => ask(() => launcher.ensure(plan)),
  remove: (instance, graceMs) => ask(() => launcher.remove(instance, graceMs)),
  machineOf: (node) => launcher.machineOf(node),
  onExit: (listener) => launcher.onExit(listener),
});

const mortalDriver = (driver: GpuDriver, ask: Ask): GpuDriver => ({
  observe: () => ask(() => driver.observe()),
  ensureInventory: (nodes) => ask(() => driver.ensureInventory(nodes)),
  ensurePartition: (partition) => ask(() => driver.ensurePartition(partition)),
  removePartition: (partition) => ask(() => driver.removePartition(partition)),
});

const mortalUpstream = (upstream: Upstream, isDead: () => boolean): Upstream => ({
  call: (to, request, events) => (isDead() ? NO_CALL : upstream.call(to, request, events)),
});

const mortalHub = (hub: GatewayHub, isDead: () => boolean): GatewayHub => ({
  listen: (events) => (isDead() ? NEVER : hub.listen(events)),
  send: (to, message) => (isDead() ? undefined : hub.send(to, message)),
  close: () => (isDead() ? NEVER : hub.close()),
});
