import { API_VERSION, type Kind, type Resource } from "../api/resource.ts";
import type { JsonObject } from "../base/json.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";
import { toKubernetes } from "./kubernetes-form.ts";
import type { AdminAnswer, AdminStream, AdminStreamEvents } from "./route.ts";
import { answerRefusal } from "./status.ts";

/** Enough for consoles and scripts of one machine; one more is told to come back. */
export const WATCHES_MAX = 64;
const HEARTBEAT_EVERY_MS = 15_000;

interface WatchTarget {
  readonly kind: Kind;
  /** null = all of the kind. */
  readonly name: string | null;
}

export interface Watches {
  /** ADDED for all that is there, one BOOKMARK, then each change; a change that nobody could read in time is merged with the next. */
  open(target: WatchTarget): AdminAnswer;
  stop(): void;
}

export function createWatches(ports: WatchPorts): Watches {
  const running = new Set<ResourceWatch>();
  return {
    open(target) {
      if (running.size >= WATCHES_MAX) {
        return answerRefusal({ reason: "TooManyRequests", message: `${WATCHES_MAX} watches are open: end one first.` });
      }
      return {
        form: "stream",
        open(stream) {
          const watch: ResourceWatch = new ResourceWatch(stream, target, ports, () => running.delete(watch));
          running.add(watch);
          return watch;
        },
      };
    },
    stop() {
      for (const watch of running) watch.end();
    },
  };
}

interface WatchPorts {
  readonly store: ClusterStore;
  readonly clock: Clock;
}

/**
 * Nothing is buffered for a slow reader: names wait in a set, bounded by what is stored, and an object is read when the reader
 * can take it. One that takes nothing at all is cut by the front's write-stall limit.
 */
class ResourceWatch implements AdminStreamEvents {
  readonly #stream: AdminStream;
  readonly #target: WatchTarget;
  readonly #ports: WatchPorts;
  readonly #onOver: () => void;
  readonly #listening: { stop(): void };
  readonly #sent = new Map<string, Resource>();
  readonly #waiting = new Set<string>();
  #listed: readonly Resource[] | null = null;
  #listedSent = 0;
  #isWhole = false;
  #isPumping = false;
  #isFull = false;
  #isOver = false;
  #heartbeat: Timer | null = null;

  constructor(stream: AdminStream, target: WatchTarget, ports: WatchPorts, onOver: () => void) {
    this.#stream = stream;
    this.#target = target;
    this.#ports = ports;
    this.#onOver = onOver;
    // Before the list, so that no change falls between them.
    this.#listening = ports.store.watch((change) => {
      if (change.kind !== target.kind || (target.name !== null && change.name !== target.name)) return;
      this.#waiting.add(change.name);
      void this.#pump();
    });
    void this.#list();
  }

  drained(): void {
    this.#isFull = false;
    void this.#pump();
  }

  gone(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listening.stop();
    this.#heartbeat?.cancel();
    this.#onOver();
  }

  end(): void {
    if (this.#isOver) return;
    this.gone();
    this.#stream.end();
  }

  async #list(): Promise<void> {
    const found = await this.#ports.store.list(this.#target.kind);
    if (this.#isOver) return;
    if (!found.ok) return this.end();
    const { name } = this.#target;
    this.#listed = found.value.items.filter((resource) => name === null || resource.name === name);
    this.#beat();
    await this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isFull && !this.#isOver && this.#listed !== null) {
      const first = this.#listed[this.#listedSent];
      if (first !== undefined) {
        this.#listedSent += 1;
        this.#tell(first.name, first);
      } else if (!this.#isWhole) {
        this.#isWhole = true;
        this.#sendBookmark({ "k8s.io/initial-events-end": "true" });
      } else {
        const [name] = this.#waiting;
        if (name === undefined) break;
        this.#waiting.delete(name);
        await this.#look(name);
      }
    }
    this.#isPumping = false;
  }

  async #look(name: string): Promise<void> {
    const found = await this.#ports.store.get(this.#target.kind, name);
    if (this.#isOver) return;
    if (found.ok) this.#tell(name, found.value);
    else if (found.error.code === "NOT_FOUND") this.#tell(name, null);
    // A watch that may have missed something ends: its reader starts again from the whole.
    else this.end();
  }

  #tell(name: string, now: Resource | null): void {
    const before = this.#sent.get(name) ?? null;
    if (before !== null && before.uid !== now?.uid) {
      this.#sent.delete(name);
      this.#send("DELETED", toKubernetes(before));
    }
    if (now === null || (before !== null && before.version === now.version)) return;
    this.#send(this.#sent.has(name) ? "MODIFIED" : "ADDED", toKubernetes(now));
    this.#sent.set(name, now);
  }

  // Tells a reader that we live, and us that it does: a dead one stops taking bytes.
  #beat(): void {
    this.#heartbeat = this.#ports.clock.after(HEARTBEAT_EVERY_MS, () => {
      if (!this.#isFull) this.#sendBookmark({});
      this.#beat();
    });
  }

  #sendBookmark(annotations: JsonObject): void {
    this.#send("BOOKMARK", { apiVersion: API_VERSION, kind: this.#target.kind, metadata: { resourceVersion: "", annotations } });
  }

  #send(type: string, object: JsonObject): void {
    this.#isFull = !this.#stream.send(JSON.stringify({ type, object }));
  }
}
