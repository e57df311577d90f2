import { explainGpuFault } from "../api/fault.ts";
import { formatBytes } from "../base/bytes.ts";
import type { Explanation, Result } from "../base/result.ts";
import { err, ok } from "../base/result.ts";
import type { MemoryPlan } from "../engine-model/memory-plan.ts";
import {
  AWAKE,
  bringBack,
  fallAsleep,
  heldBytes,
  isAsleep,
  reloadWeights,
  SLEEP_TAGS,
  WAKE_FIXED_MS,
  type SleepState,
  type SleepTag,
} from "../engine-model/sleep-state.ts";
import type { Clock } from "../ports/clock.ts";
import type { AccountError, GpuAccount } from "../ports/gpu-account.ts";
import type { EngineOptions } from "./engine-options.ts";

/** Where the engine's weights are, and what it holds: on the account where there is one, else only in time. */
export class EngineResidence {
  readonly #options: EngineOptions;
  readonly #plan: MemoryPlan;
  readonly #clock: Clock;
  readonly #account: GpuAccount | null;
  readonly #signal: AbortSignal;
  #state: SleepState = AWAKE;
  #isLoaded = false;
  #sleepsPending = 0;
  /** Sleeps and wakes go one after another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions, plan: MemoryPlan, ports: { clock: Clock; account: GpuAccount | null; signal: AbortSignal }) {
    this.#options = options;
    this.#plan = plan;
    this.#clock = ports.clock;
    this.#account = ports.account;
    this.#signal = ports.signal;
  }

  get isLoaded(): boolean {
    return this.#isLoaded;
  }
  /** From the moment that sleep is asked for, until every tag is back. */
  get isAsleep(): boolean {
    return this.#sleepsPending > 0 || isAsleep(this.#state);
  }
  get areWeightsStale(): boolean {
    return this.#state.areWeightsStale;
  }

  /** Takes the memory and brings the weights in. */
  async load(): Promise<Result<null, AccountError>> {
    const { load, isSleepEnabled, weightsBytes, gpus } = this.#options;
    const node = gpus[0]?.node;
    // The copy that makes sleep and wake quick is made at the start, so that no later sleep can fail for it.
    if (isSleepEnabled && this.#account !== null && node !== undefined) {
      const host = await this.#account.holdHost(node, weightsBytes);
      if (!host.ok) return host;
    }
    const held = await this.#hold(AWAKE);
    if (!held.ok) return held;
    const moved = await this.#transfer(load.link, load.bytesPerSecond, 1);
    this.#isLoaded = moved.ok;
    return moved;
  }

  /** Call only after everything that ran is gone. */
  async sleep(level: 1 | 2): Promise<Result<null, AccountError>> {
    this.#sleepsPending += 1;
    const slept = await this.#inTurn(() => this.#become(fallAsleep(this.#state, level)));
    this.#sleepsPending -= 1;
    return slept;
  }

  /** @param slowFactor how many times as long it takes. */
  wake(tags: readonly SleepTag[], slowFactor: number): Promise<Result<null, AccountError>> {
    return this.#inTurn(async () => {
      const missing = this.#state.absent.filter((tag) => tags.includes(tag));
      if (missing.length === 0) return ok(null);
      const next = bringBack(this.#state, missing);
      const held = await this.#hold(next);
      if (!held.ok) return held;
      await this.#clock.sleep(WAKE_FIXED_MS * slowFactor, this.#signal);
      const hasWeightsToMove = missing.includes("weights") && !this.#state.areWeightsStale;
      if (hasWeightsToMove) {
        const moved = await this.#transfer("hostToGpu", this.#options.wakeBytesPerSecond, slowFactor);
        if (!moved.ok) return moved;
      }
      this.#state = next;
      return ok(null);
    });
  }

  /** After a sleep of level 2. */
  reload(): Promise<Result<null, AccountError>> {
    return this.#inTurn(async () => {
      const { load } = this.#options;
      const moved = await this.#transfer(load.link, load.bytesPerSecond, 1);
      if (moved.ok) this.#state = reloadWeights(this.#state);
      return moved;
    });
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const turn = this.#last.then(work);
    this.#last = turn;
    return turn;
  }

  async #become(next: SleepState): Promise<Result<null, AccountError>> {
    const held = await this.#hold(next);
    if (held.ok) this.#state = next;
    return held;
  }

  /** Holds so many bytes more than it may on each GPU; 0 = no more than it may. What refuses it is what keeps it. */
  grab(bytes: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#account === null || !this.#isLoaded) return;
      const ownBytes = heldBytes(this.#state, this.#plan);
      for (const at of this.#options.gpus) {
        if (bytes === 0) await this.#account.holdGpu(at, ownBytes, residenceOf(this.#state));
        else await this.#account.grabGpu(at, ownBytes + bytes);
      }
    });
  }

  /** All GPUs or none: what was taken of the first ones goes back when a later one refuses. */
  async #hold(state: SleepState): Promise<Result<null, AccountError>> {
    if (this.#account === null) return ok(null);
    const before = this.#isLoaded ? heldBytes(this.#state, this.#plan) : 0;
    for (const [index, at] of this.#options.gpus.entries()) {
      const held = await this.#account.holdGpu(at, heldBytes(state, this.#plan), residenceOf(state));
      if (held.ok) continue;
      for (const earlier of this.#options.gpus.slice(0, index)) await this.#account.holdGpu(earlier, before, residenceOf(this.#state));
      return held;
    }
    return ok(null);
  }

  async #transfer(link: "hostToGpu" | "disk" | "network", bytesPerSecond: number, slowFactor: number): Promise<Result<null, AccountError>> {
    const { weightsBytes, gpus } = this.#options;
    const node = gpus[0]?.node;
    const startMs = this.#clock.monotonicMs();
    if (this.#account === null || node === undefined) {
      await this.#clock.sleep((weightsBytes * 1_000) / bytesPerSecond, this.#signal);
    } else {
      const moved = await this.#account.transfer({ node, link }, weightsBytes, this.#signal);
      if (!moved.ok) return moved;
    }
    const tookMs = this.#clock.monotonicMs() - startMs;
    if (slowFactor > 1) await this.#clock.sleep(tookMs * (slowFactor - 1), this.#signal);
    return this.#signal.aborted ? err({ code: "ACCOUNT_UNAVAILABLE", reason: "the engine stops" }) : ok(null);
  }
}

/** Half awake is awake: its memory is coming back. */
const residenceOf = (state: SleepState): "awake" | "parked" => (state.absent.length === SLEEP_TAGS.length ? "parked" : "awake");

/** For people, in a log or an error body. */
export function explainAccountError(error: AccountError): Explanation {
  switch (error.code) {
    case "NO_GPU_MEMORY": {
      const holders = error.holders.map(({ instance, usedBytes }) => `${instance} ${formatBytes(usedBytes)}`).join(", ");
      return {
        what: `GPU ${error.node}/${error.gpu} is out of memory.`,
        why: `${formatBytes(error.neededBytes)} are needed, ${formatBytes(error.freeBytes)} are free; it is held by: ${holders === "" ? "nobody" : holders}.`,
        next: "Place the instance elsewhere, or free that GPU.",
      };
    }
    case "NO_HOST_MEMORY":
      return {
        what: `Node ${error.node} is out of host memory.`,
        why: `${formatBytes(error.neededBytes)} are needed to keep the weights at hand, ${formatBytes(error.freeBytes)} are free.`,
        next: "Place the instance elsewhere, or let fewer engines of that node sleep.",
      };
    case "GPU_LOST":
      return {
        what: `${explainGpuFault(error)}.`,
        why: "The driver reports it so.",
        next: "Place the instance elsewhere; reset the GPU, or look after its node.",
      };
    case "GPU_FAULT":
      return {
        what: `${explainGpuFault(error)}.`,
        why: "The driver ended this engine's work on it.",
        next: "Start it again: the GPU goes on.",
      };
    case "UNKNOWN_GPU":
      return {
        what: `There is no GPU ${error.node}/${error.gpu}.`,
        why: "The inventory does not name it.",
        next: "Apply a GPUNode that has it.",
      };
    case "ACCOUNT_UNAVAILABLE":
      return { what: "The GPU account does not answer.", why: error.reason, next: "Look whether `tidegate gpu-account` runs." };
  }
}
