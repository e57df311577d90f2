import type { GatewayMemory, GatewaySnapshot } from "../../ports/gateway-memory.ts";

interface Waiting {
  readonly snapshot: GatewaySnapshot;
  readonly saved: PromiseWithResolvers<boolean>;
}

/**
 * The one file of a gateway while two of its processes run. Only its owner writes it. Who is not the owner will never start from it, so what
 * it was told counts as kept at once.
 */
export interface HandedMemory extends GatewayMemory {
  /** Something was in the file. */
  readonly wasFound: boolean;
  /** Saves wait: what becomes of the file is not decided. */
  hold(): void;
  /** This process owns the file, as before or from now on. What waited is written. */
  own(): void;
  /** Another process owns it. */
  give(): void;
}

/** @param isOwned false = begins as a process that may become the owner. */
export const createHandedMemory = (file: GatewayMemory, isOwned: boolean): HandedMemory => new SharedFile(file, isOwned);

class SharedFile implements HandedMemory {
  wasFound = false;
  readonly #file: GatewayMemory;
  #state: "owned" | "held" | "given";
  #waiting: Waiting | null = null;

  constructor(file: GatewayMemory, isOwned: boolean) {
    this.#file = file;
    this.#state = isOwned ? "owned" : "given";
  }

  async load(): Promise<GatewaySnapshot | null> {
    const snapshot = await this.#file.load();
    this.wasFound = snapshot !== null;
    return snapshot;
  }

  save(snapshot: GatewaySnapshot): Promise<boolean> {
    if (this.#state === "owned") return this.#file.save(snapshot);
    if (this.#state === "given") return Promise.resolve(true);
    const saved = this.#waiting?.saved ?? Promise.withResolvers<boolean>();
    this.#waiting = { snapshot, saved };
    return saved.promise;
  }

  hold(): void {
    this.#state = "held";
  }

  own(): void {
    this.#state = "owned";
    const waiting = this.#takeWaiting();
    if (waiting !== null) void this.#file.save(waiting.snapshot).then(waiting.saved.resolve);
  }

  give(): void {
    this.#state = "given";
    this.#takeWaiting()?.saved.resolve(true);
  }

  #takeWaiting(): Waiting | null {
    const waiting = this.#waiting;
    this.#waiting = null;
    return waiting;
  }
}
