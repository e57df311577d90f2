import { createServer, type Socket } from "node:net";
import type { EndpointAddress } from "../../src/api/route-table.ts";
import { stepsOf, type AskedApi, type HostileStep } from "./hostile-script.ts";

/** What is left of a connection whose script is over: long enough for the next request over it. */
const LEFT_OPEN_MS = 15;
/** In one piece that one read takes: what comes later, beside another request, nobody could tell from its answer. */
const AT_ONCE_BYTES_MAX = 32_768;

export interface HostileOrders {
  /** The script of the next request with this canary. */
  next(canary: string): Buffer;
  /** Everything of an answer, and what follows it, comes at once. */
  readonly isAtOnce: boolean;
}

/** A TCP server that does with each completion what a script says; to questions about its health it says that it is well. */
export class HostileEngine {
  readonly address: EndpointAddress;
  /** null = between two inputs. */
  orders: HostileOrders | null = null;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number) {
    this.address = { host: "127.0.0.1", port };
  }

  static start(): Promise<HostileEngine> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const bound = server.address();
        const engine = new HostileEngine(typeof bound === "object" && bound !== null ? bound.port : 0);
        server.on("connection", (socket) => engine.#serve(socket));
        resolve(engine);
      });
    });
  }

  /** Of the input that is over. */
  closeConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let pending = "";
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    let serving = 0;
    socket.on("data", (bytes: Buffer) => {
      pending += bytes.toString("latin1");
      for (let request = take(pending); request !== null; request = take(pending)) {
        pending = pending.slice(request.length);
        serving += 1;
        const now = serving;
        if (!request.startsWith("POST")) wellAnswer(socket, request);
        else void this.#play(socket, request).then(() => setTimeout(() => now === serving && socket.destroy(), LEFT_OPEN_MS));
      }
    });
  }

  async #play(socket: Socket, request: string): Promise<void> {
    const { orders } = this;
    const canary = /canary-[ab]-\d+/.exec(request)?.[0] ?? "";
    if (orders === null || canary === "") return void socket.destroy();
    const steps = stepsOf(orders.next(canary), { canary, api: apiOf(request), isStream: request.includes('"stream":true') });
    if (orders.isAtOnce)
      return void socket.write(
        Buffer.concat(steps.flatMap((step) => (step.kind === "write" ? [step.bytes] : []))).subarray(0, AT_ONCE_BYTES_MAX),
      );
    for (const step of steps) {
      if (socket.destroyed) return;
      await perform(socket, step);
    }
  }
}

function apiOf(request: string): AskedApi {
  if (request.startsWith("POST /v1/responses ")) return "responses";
  return request.startsWith("POST /v1/embeddings ") ? "embeddings" : "chat";
}

async function perform(socket: Socket, step: HostileStep): Promise<void> {
  switch (step.kind) {
    case "write":
      // A peer that does not read is waited for, but not for ever.
      if (!socket.write(step.bytes))
        await Promise.race([
          new Promise((resolve) => socket.once("drain", resolve)),
          new Promise((resolve) => socket.once("close", resolve)),
        ]);
      return;
    case "sleep":
      return new Promise((resolve) => setTimeout(resolve, step.forMs));
    case "end":
      return void socket.end();
    case "reset":
      return void socket.resetAndDestroy();
  }
}

/** @returns the first whole request of what came; null = there is none yet. */
function take(pending: string): string | null {
  const headEnd = pending.indexOf("\r\n\r\n");
  if (headEnd === -1) return null;
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(pending.slice(0, headEnd))?.[1] ?? 0);
  const end = headEnd + 4 + length;
  return pending.length < end ? null : pending.slice(0, end);
}

function wellAnswer(socket: Socket, request: string): void {
  const isMetrics = request.startsWith("GET /metrics");
  const body = isMetrics ? `vllm:iteration_tokens_total_count ${Math.floor(performance.now())}\nvllm:num_requests_running 1\n` : "ok";
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}
