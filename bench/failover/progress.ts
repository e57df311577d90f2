import { monotonicMs } from "./monotonic.ts";

const LINE_EVERY_MS = 10_000;

/** One line that is written over on a terminal; elsewhere a line every ten seconds. */
export class Progress {
  readonly #isTerminal = process.stdout.isTTY;
  readonly #startedAtMs = monotonicMs();
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #isLineOpen = false;

  update(text: string): void {
    if (this.#isTerminal) {
      process.stdout.write(`\r\u001b[K${this.#stamp()} ${text}`.slice(0, process.stdout.columns + 5));
      this.#isLineOpen = true;
      return;
    }
    if (monotonicMs() - this.#writtenAtMs < LINE_EVERY_MS) return;
    this.#writtenAtMs = monotonicMs();
    process.stdout.write(`${this.#stamp()} ${text}\n`);
  }

  line(text: string): void {
    if (this.#isLineOpen) process.stdout.write("\r\u001b[K");
    this.#isLineOpen = false;
    process.stdout.write(`${this.#stamp()} ${text}\n`);
  }

  #stamp(): string {
    const seconds = Math.floor((monotonicMs() - this.#startedAtMs) / 1_000);
    return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}
