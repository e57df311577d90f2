import { err } from "../base/result.ts";
import type { ClusterStore, StoreError } from "../ports/cluster-store.ts";
import type { Clock } from "../ports/clock.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";
import type { GpuDriver } from "../ports/gpu-driver.ts";
import type { Upstream } from "../ports/upstream.ts";
import type { Lease } from "./hold-lease.ts";
import type { ControlPorts } from "./start-controllers.ts";

/** Asks the lease right before each write and each act: after a pause longer than the lease nothing leaves, whatever was being done. */
export function guardPorts(ports: ControlPorts, lease: Pick<Lease, "term" | "isHeld">): ControlPorts {
  const refused = (call: string): void =>
    ports.log.record({ level: "warn", event: "lead.refused", fields: { call, term: lease.term, atMs: ports.clock.monotonicMs() } });
  const may: May = (call) => {
    const isHeld = lease.isHeld();
    if (!isHeld) refused(call);
    return isHeld;
  };
  return {
    ...ports,
    store: guardedStore(ports.store, may),
    launcher: guardedLauncher(ports.launcher, may),
    driver: guardedDriver(ports.driver, may),
    upstream: guardedUpstream(ports.upstream, ports.clock, may),
    hub: guardedHub(ports.hub, may),
  };
}

/** Is the lease held now? Says in the log what was not done for want of it. */
type May = (call: string) => boolean;

const REASON = "this control plane does not lead any more";
const NO_WRITE: StoreError = { code: "UNAVAILABLE", applied: "no", reason: REASON };

const guardedStore = (store: ClusterStore, may: May): ClusterStore => ({
  get: (kind, name) => store.get(kind, name),
  list: (kind) => store.list(kind),
  create: async (draft) => (may("store.create") ? store.create(draft) : err(NO_WRITE)),
  writeSpec: async (draft, version) => (may("store.writeSpec") ? store.writeSpec(draft, version) : err(NO_WRITE)),
  writeStatus: async (of, status, version) => (may("store.writeStatus") ? store.writeStatus(of, status, version) : err(NO_WRITE)),
  remove: async (kind, name) => (may("store.remove") ? store.remove(kind, name) : err(NO_WRITE)),
  applyAll: async (changes) => (may("store.applyAll") ? store.applyAll(changes) : err(NO_WRITE)),
  watch: (listener) => store.watch(listener),
  close: () => store.close(),
});

const guardedLauncher = (launcher: EngineLauncher, may: May): EngineLauncher => ({
  observe: () => launcher.observe(),
  ensure: async (plan) =>
    may("launcher.ensure") ? launcher.ensure(plan) : err({ code: "LAUNCH_FAILED", instance: plan.instance, reason: REASON }),
  remove: async (instance, graceMs) => {
    if (!may("launcher.remove")) throw new Error(`${instance} is not ended: ${REASON}.`);
    await launcher.remove(instance, graceMs);
  },
  machineOf: (node) => launcher.machineOf(node),
  onExit: (listener) => launcher.onExit(listener),
});

const guardedDriver = (driver: GpuDriver, may: May): GpuDriver => {
  const no = err({ code: "DRIVER_UNAVAILABLE", reason: REASON } as const);
  return {
    observe: (only) => driver.observe(only),
    ensureInventory: async (nodes) => (may("driver.ensureInventory") ? driver.ensureInventory(nodes) : no),
    ensurePartition: async (partition) => (may("driver.ensurePartition") ? driver.ensurePartition(partition) : no),
    removePartition: async (partition) => (may("driver.removePartition") ? driver.removePartition(partition) : no),
  };
};

const guardedUpstream = (upstream: Upstream, clock: Clock, may: May): Upstream => ({
  call: (to, request, events) => {
    if (may("upstream.call")) return upstream.call(to, request, events);
    const timer = clock.after(0, () => events.failed({ code: "CUT", sent: "none" }));
    return { pause: () => undefined, resume: () => undefined, abort: () => timer.cancel() };
  },
});

const guardedHub = (hub: GatewayHub, may: May): GatewayHub => ({
  listen: async (events) => {
    if (may("hub.listen")) await hub.listen(events);
  },
  send: (to, message) => {
    if (may("hub.send")) hub.send(to, message);
  },
  close: () => hub.close(),
});
