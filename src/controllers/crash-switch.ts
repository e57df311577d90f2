import type { Clock } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import type { EngineLauncher } from "../ports/engine-launcher.ts";
import type { GatewayHub } from "../ports/gateway-link.ts";
import type { Upstream } from "../ports/upstream.ts";

// For tests: a control plane that ends at any one of its acts.

/** Ends one control plane at its n-th act (a store write or a launcher call), just before or just after it is done. */
export class CrashSwitch {
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

export function through(
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
    create: (draft) => of.act(() => store.create(draft)),
    writeSpec: (draft, version) => of.act(() => store.writeSpec(draft, version)),
    remove: (kind, name) => of.act(() => store.remove(kind, name)),
    writeStatus: (target, status, version) => of.act(() => store.writeStatus(target, status, version)),
    watch: (listener) => store.watch(unless(listener)),
  };
  const mortalLauncher: EngineLauncher = {
    observe: () => of.read(() => launcher.observe()),
    ensure: (plan) => of.act(() => launcher.ensure(plan)),
    remove: (instance, graceMs) => of.act(() => launcher.remove(instance, graceMs)),
    machineOf: (node) => launcher.machineOf(node),
    onExit: (listener) => launcher.onExit(unless(listener)),
  };
  const mortalUpstream: Upstream = {
    // A dead process asks nothing.
    call: (to, request, events) =>
      of.isDead
        ? NO_CALL
        : upstream.call(to, request, {
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

const NO_CALL = { pause: (): void => undefined, resume: (): void => undefined, abort: (): void => undefined };
