import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ChatTarget } from "./chat-call.ts";
import type { SeenService } from "./platform-status.ts";

export interface ProxyEndpoint {
  readonly instance: string;
  readonly port: number;
  readonly weight: number;
}
export interface ProxyMessage {
  readonly endpoints: readonly ProxyEndpoint[];
}

// What SPEC gives two hot instances.
const WEIGHTS: readonly number[] = [80, 20];

/** A gateway without failover, in a process of its own, before the same engines. */
export class NoFailover {
  readonly target: ChatTarget;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.target = { host: "127.0.0.1", port, key: null };
  }

  static async start(): Promise<NoFailover> {
    const child = fork(fileURLToPath(new URL("no-failover-proxy.ts", import.meta.url)));
    const [port] = (await once(child, "message")) as [number];
    return new NoFailover(child, port);
  }

  route(endpoints: readonly ProxyEndpoint[]): void {
    const message: ProxyMessage = { endpoints };
    this.#child.send(message);
  }

  routeTo(service: SeenService): void {
    const hots = service.instances.filter(({ level }) => level === "hot");
    this.route(
      hots.flatMap(({ name, endpoint }, index) =>
        endpoint === null ? [] : [{ instance: name, port: Number(new URL(endpoint).port), weight: WEIGHTS[index] ?? 1 }],
      ),
    );
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}
