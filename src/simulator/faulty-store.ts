import { err, type Result } from "../base/result.ts";
import { isSameJson } from "../base/same-json.ts";
import type { Clock } from "../ports/clock.ts";
import type { ClusterStore, StoreChange, StoreError, WatchListener } from "../ports/cluster-store.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Random } from "../ports/random.ts";

/** How a store misbehaves. Ratios are shares of the calls, 0..1, drawn for each call anew. */
export interface StoreFaults {
  /** Of the writes that name a version: CONFLICT, as if somebody else had written; nothing is applied. */
  readonly conflictRatio: number;
  /** Of all calls: UNAVAILABLE before anything happened. */
  readonly unavailableRatio: number;
  /** Of the writes: applied, and its writer hears UNAVAILABLE with `applied: "unknown"`. */
  readonly lostAnswerRatio: number;
  /** Of all calls: half of a delay out of `slowMs` goes by before the call takes effect, half before it is answered. */
  readonly slowRatio: number;
  readonly slowMs: { readonly min: number; readonly max: number };
  /** A full disk: every write is refused, reads work. */
  readonly isFull: boolean;
  /** Nothing works, and watches are silent. */
  readonly isOut: boolean;
  /** Watches are silent though calls work; each change that they missed is told once, later. */
  readonly isWatchCut: boolean;
  /** Longest delay of what a watch tells; drawn for each change, so that they come in any order. */
  readonly watchDelayMs: number;
}

export type StoreFaultClass = "conflict" | "unavailable" | "lost-answer" | "slow" | "full" | "out";

export const NO_STORE_FAULTS: StoreFaults = {
  conflictRatio: 0,
  unavailableRatio: 0,
  lostAnswerRatio: 0,
  slowRatio: 0,
  slowMs: { min: 50, max: 2_000 },
  isFull: false,
  isOut: false,
  isWatchCut: false,
  watchDelayMs: 0,
};

export interface FaultyStorePorts {
  readonly clock: Pick<Clock, "after" | "monotonicMs">;
  readonly random: Pick<Random, "next">;
  readonly log: EventLog;
}

/** A store that keeps every promise of the port, and no other. */
export interface FaultyStore {
  readonly store: ClusterStore;
  /** From now on exactly these; what is left out does not happen. */
  set(faults: Partial<StoreFaults>): void;
  /** No fault is switched on. */
  isSound(): boolean;
  readonly faults: StoreFaults;
}

/** Faults come between `inner` and its callers; each is a `store.fault` event with its class in the log. */
export function createFaultyStore(inner: ClusterStore, ports: FaultyStorePorts): FaultyStore {
  const faulty = new Faulty(inner, ports);
  return {
    store: faulty,
    set: (faults) => faulty.set(faults),
    isSound: () => isSameJson(faulty.faults, NO_STORE_FAULTS),
    get faults() {
      return faulty.faults;
    },
  };
}

type Target = Parameters<WatchListener>[0];
type Answer<Value> = Promise<Result<Value, StoreError>>;

interface Watch {
  readonly listener: WatchListener;
  /** What was not told yet, by kind and name: several changes of one object are one. */
  readonly missed: Map<string, Target>;
}

class Faulty implements ClusterStore {
  readonly #inner: ClusterStore;
  readonly #ports: FaultyStorePorts;
  readonly #watches = new Set<Watch>();
  faults: StoreFaults = NO_STORE_FAULTS;

  constructor(inner: ClusterStore, ports: FaultyStorePorts) {
    this.#inner = inner;
    this.#ports = ports;
  }

  set(faults: Partial<StoreFaults>): void {
    this.faults = { ...NO_STORE_FAULTS, ...faults };
    if (this.#isSilent) return;
    for (const watch of this.#watches) {
      for (const change of watch.missed.values()) this.#tellLater(watch, change, 0);
      watch.missed.clear();
    }
  }

  get: ClusterStore["get"] = (kind, name) => this.#read("get", () => this.#inner.get(kind, name));
  list: ClusterStore["list"] = (kind) => this.#read("list", () => this.#inner.list(kind));
  create: ClusterStore["create"] = (draft) => this.#write("create", null, () => this.#inner.create(draft));
  writeSpec: ClusterStore["writeSpec"] = (draft, version) => this.#write("writeSpec", draft, () => this.#inner.writeSpec(draft, version));
  writeStatus: ClusterStore["writeStatus"] = (of, status, version) =>
    this.#write("writeStatus", of, () => this.#inner.writeStatus(of, status, version));
  remove: ClusterStore["remove"] = (kind, name) => this.#write("remove", null, () => this.#inner.remove(kind, name));
  applyAll: ClusterStore["applyAll"] = (changes) => this.#write("applyAll", versionedOf(changes), () => this.#inner.applyAll(changes));
  close: ClusterStore["close"] = () => this.#inner.close();

  watch(listener: WatchListener): { stop(): void } {
    const watch: Watch = { listener, missed: new Map() };
    this.#watches.add(watch);
    const watching = this.#inner.watch((change) => this.#news(watch, change));
    return {
      stop: () => {
        this.#watches.delete(watch);
        watching.stop();
      },
    };
  }

  async #read<Value>(call: string, ask: () => Answer<Value>): Answer<Value> {
    const restMs = await this.#halfWay(call);
    const refused = this.#unavailable(call);
    if (refused !== null) return err(refused);
    const answer = await ask();
    await this.#pass(restMs);
    return answer;
  }

  /** @param versioned an object whose version the write names; null = none. */
  async #write<Value>(call: string, versioned: Pick<Target, "kind" | "name"> | null, ask: () => Answer<Value>): Answer<Value> {
    const restMs = await this.#halfWay(call);
    const refused = this.#unavailable(call) ?? this.#full(call) ?? this.#conflict(call, versioned);
    if (refused !== null) return err(refused);
    const isLost = this.#happens(this.faults.lostAnswerRatio);
    const answer = await ask();
    await this.#pass(restMs);
    if (!isLost || !answer.ok) return answer;
    this.#record("lost-answer", call);
    return err({ code: "UNAVAILABLE", applied: "unknown", reason: "the connection to the store broke before its answer" });
  }

  #unavailable(call: string): StoreError | null {
    const { isOut, unavailableRatio } = this.faults;
    if (!isOut && !this.#happens(unavailableRatio)) return null;
    this.#record(isOut ? "out" : "unavailable", call);
    return { code: "UNAVAILABLE", applied: "no", reason: "the store does not answer" };
  }

  /** As SQLite says it after a roll-back. */
  #full(call: string): StoreError | null {
    if (!this.faults.isFull) return null;
    this.#record("full", call);
    return { code: "UNAVAILABLE", applied: "no", reason: "database or disk is full" };
  }

  #conflict(call: string, versioned: Pick<Target, "kind" | "name"> | null): StoreError | null {
    if (versioned === null || !this.#happens(this.faults.conflictRatio)) return null;
    this.#record("conflict", call);
    return { code: "CONFLICT", kind: versioned.kind, name: versioned.name };
  }

  /** @returns how long the way back takes. */
  async #halfWay(call: string): Promise<number> {
    const { slowRatio, slowMs } = this.faults;
    if (!this.#happens(slowRatio)) return 0;
    this.#record("slow", call);
    const halfMs = (slowMs.min + this.#ports.random.next() * (slowMs.max - slowMs.min)) / 2;
    await this.#pass(halfMs);
    return halfMs;
  }

  async #pass(durationMs: number): Promise<void> {
    if (durationMs > 0) await new Promise<void>((resolve) => this.#ports.clock.after(durationMs, resolve));
  }

  /** Draws nothing for what cannot happen: a fault that is switched off changes no other draw. */
  #happens(ratio: number): boolean {
    return ratio > 0 && this.#ports.random.next() < ratio;
  }

  get #isSilent(): boolean {
    return this.faults.isOut || this.faults.isWatchCut;
  }

  #news(watch: Watch, change: Target): void {
    const { watchDelayMs } = this.faults;
    if (watchDelayMs > 0) this.#tellLater(watch, change, this.#ports.random.next() * watchDelayMs);
    else this.#tell(watch, change);
  }

  #tellLater(watch: Watch, change: Target, delayMs: number): void {
    this.#ports.clock.after(delayMs, () => this.#tell(watch, change));
  }

  #tell(watch: Watch, change: Target): void {
    if (!this.#watches.has(watch)) return;
    if (this.#isSilent) watch.missed.set(`${change.kind}/${change.name}`, change);
    else watch.listener(change);
  }

  #record(fault: StoreFaultClass, call: string): void {
    this.#ports.log.record({ level: "info", event: "store.fault", fields: { atMs: this.#ports.clock.monotonicMs(), fault, call } });
  }
}

/** The first change that names a version; a conflict of one refuses them all. */
function versionedOf(changes: readonly StoreChange[]): Pick<Target, "kind" | "name"> | null {
  for (const change of changes) {
    if (change.verb === "status") return change;
    if (change.verb === "put" && change.version !== null) return change.draft;
  }
  return null;
}
