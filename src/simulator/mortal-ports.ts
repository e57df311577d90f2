import type { ControlPorts } from "../controllers/start-controllers.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import type { Upstream } from "../ports/upstream.ts";
import { isCrashSite, type CallSite, type CrashSite } from "./crash-points.ts";
import { Mortal, type CrashPoint } from "./mortal.ts";
import { NO_CALL, ProcessLife } from "./process-life.ts";

/** What one life of a control plane touches the world by. After its death nothing that it asks is done, and no answer comes back. */
export interface MortalPorts {
  readonly ports: ControlPorts;
  readonly life: ProcessLife;
  /** Dies at its next call of that site; null = at its next write to the store, whichever it is. `died` is called then. */
  dieAt(at: { readonly point: CrashPoint; readonly site: CrashSite | null }, died: (site: CallSite) => void): void;
  /** No such order stands any more. */
  spare(): void;
}

export function createMortalPorts(ports: ControlPorts): MortalPorts {
  const life = new ProcessLife(ports.clock);
  const mortal = new Mortal<CallSite>(life);
  return {
    life,
    ports: mortalControlPorts(ports, mortal),
    dieAt: ({ point, site }, died) => {
      const isAt = (call: CallSite): boolean => (site === null ? isStoreWrite(call) : call === site);
      mortal.dieAt({ point, isAt, died });
    },
    spare: () => mortal.spare(),
  };
}

/** The same world, touched by that process. */
export const mortalControlPorts = (ports: ControlPorts, mortal: Mortal<CallSite>): ControlPorts => ({
  ...ports,
  clock: mortal.life.clock,
  store: mortalStore(ports.store, mortal),
  launcher: mortalLauncher(ports.launcher, mortal),
  driver: mortalDriver(ports.driver, mortal),
  upstream: mortalUpstream(mortal.life.upstream(ports.upstream), mortal),
  hub: mortalHub(ports.hub, mortal),
  log: { record: (event) => (mortal.life.isDead ? undefined : ports.log.record(event)) },
});

const isStoreWrite = (call: CallSite): boolean => call.startsWith("store.") && isCrashSite(call);

const mortalStore = (store: ClusterStore, mortal: Mortal<CallSite>): ClusterStore => ({
  get: (kind, name) => mortal.ask("store.get", () => store.get(kind, name)),
  list: (kind) => mortal.ask("store.list", () => store.list(kind)),
  create: (draft) => mortal.ask("store.create", () => store.create(draft)),
  writeSpec: (draft, version) => mortal.ask("store.writeSpec", () => store.writeSpec(draft, version)),
  writeStatus: (of, status, version) => mortal.ask("store.writeStatus", () => store.writeStatus(of, status, version)),
  remove: (kind, name) => mortal.ask("store.remove", () => store.remove(kind, name)),
  applyAll: (changes) => mortal.ask("store.applyAll", () => store.applyAll(changes)),
  watch: (listener) => mortal.hear(listener, (heard) => store.watch(heard)),
  close: () => mortal.ask("store.close", () => store.close()),
});

const mortalLauncher = (launcher: EngineLauncher, mortal: Mortal<CallSite>): EngineLauncher => ({
  observe: () => mortal.ask("launcher.observe", () => launcher.observe()),
  ensure: (plan) => mortal.ask("launcher.ensure", () => launcher.ensure(plan)),
  remove: (instance, graceMs) => mortal.ask("launcher.remove", () => launcher.remove(instance, graceMs)),
  machineOf: (node) => launcher.machineOf(node),
  onExit: (listener) => mortal.hear(listener, (heard) => launcher.onExit(heard)),
});

const mortalDriver = (driver: GpuDriver, mortal: Mortal<CallSite>): GpuDriver => ({
  observe: (only) => mortal.ask("driver.observe", () => driver.observe(only)),
  ensureInventory: (nodes) => mortal.ask("driver.ensureInventory", () => driver.ensureInventory(nodes)),
  ensurePartition: (partition) => mortal.ask("driver.ensurePartition", () => driver.ensurePartition(partition)),
  removePartition: (partition) => mortal.ask("driver.removePartition", () => driver.removePartition(partition)),
});

const mortalUpstream = (upstream: Upstream, mortal: Mortal<CallSite>): Upstream => ({
  call: (to, request, events) => mortal.tell("upstream.call", NO_CALL, () => upstream.call(to, request, events), request.target),
});

const mortalHub = (hub: GatewayHub, mortal: Mortal<CallSite>): GatewayHub => ({
  listen: (events) =>
    mortal.ask("hub.listen", () =>
      hub.listen({
        joined: (gateway, hello) => mortal.life.run(() => events.joined(gateway, hello)),
        message: (from, message) => mortal.life.run(() => events.message(from, message)),
        left: (gateway) => mortal.life.run(() => events.left(gateway)),
      }),
    ),
  send: (to, message) => mortal.tell("hub.send", undefined, () => hub.send(to, message)),
  close: () => mortal.ask("hub.close", () => hub.close()),
});
