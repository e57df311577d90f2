import type { GatewayParts, Listeners } from "./running-gateway.ts";

/** Clients are told that their answers end this long before their connections do. */
const LAST_WORD_MS = 250;
const NEVER = new AbortController().signal;

/** How this process ends. First signal: open requests may end. Second: at once. After a take-over: when what is open has ended. */
export class Ending {
  readonly #parts: GatewayParts;
  readonly #listeners: Listeners;
  #isEnding = false;

  constructor(parts: GatewayParts, listeners: Listeners) {
    this.#parts = parts;
    this.#listeners = listeners;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  onSignals(): void {
    const end = (): void => {
      if (this.#isEnding) process.exit(1);
      this.#end();
    };
    process.on("SIGTERM", end);
    process.on("SIGINT", end);
  }

  /** A successor accepts: nothing new comes, and what is open goes on, for so long as was asked for. */
  async leave(): Promise<void> {
    const { clock, options } = this.#parts;
    const gone = Promise.all([...this.#listeners.values()].map((listener) => listener.leave()));
    await Promise.race([gone, clock.sleep(options.takeOverDrainMs, NEVER)]);
    if (!this.#isEnding) this.#end();
  }

  #end(): void {
    this.#isEnding = true;
    const { gateway, options } = this.#parts;
    const closed = [...this.#listeners.values()].map((listener) => listener.close(options.drainMs));
    void Promise.all([gateway.drain(Math.max(0, options.drainMs - LAST_WORD_MS)), ...closed]).then(() => {
      gateway.stop();
      process.exit(0);
    });
  }
}
