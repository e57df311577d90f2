import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoadCommand, LoadOrder, LoadReport } from "./load-message.ts";
import { monotonicMs } from "./monotonic.ts";
import type { RequestRecord } from "./request-record.ts";

/** A running client process, and everything that it has seen so far. */
export class LoadClient {
  readonly records: RequestRecord[] = [];
  inFlight = 0;
  sent = 0;
  settledBeforeMs = 0;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();
  #isStopped = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message) => this.#hear(message as LoadReport));
    child.on("exit", () => {
      this.#isStopped = true;
      this.#tell();
    });
  }

  static async start(order: LoadOrder): Promise<LoadClient> {
    const child = fork(fileURLToPath(new URL("load-client.ts", import.meta.url)), { serialization: "advanced" });
    await once(child, "message");
    const client = new LoadClient(child);
    client.#send({ type: "start", order });
    return client;
  }

  /** Resolves with true once `holds` does, with false when it does not within `withinMs`. Looked at after each report. */
  until(holds: () => boolean, withinMs: number): Promise<boolean> {
    const deadlineMs = monotonicMs() + withinMs;
    return new Promise((resolve) => {
      const look = (): void => {
        const isDone = holds();
        if (!isDone && monotonicMs() < deadlineMs && !this.#isStopped) return;
        this.#listeners.delete(look);
        resolve(isDone);
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** No new requests; resolves when all in flight have ended and the process is gone. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#send({ type: "stop" });
    await this.until(() => this.#isStopped, 30_000);
    this.kill();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #send(command: LoadCommand): void {
    if (this.#child.connected) this.#child.send(command);
  }

  #hear(message: LoadReport): void {
    if (message.type === "stopped") this.#isStopped = true;
    if (message.type === "progress") {
      this.records.push(...message.records);
      this.inFlight = message.inFlight;
      this.sent = message.sent;
      this.settledBeforeMs = message.settledBeforeMs;
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
