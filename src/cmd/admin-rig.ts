import { checkedHandler } from "../adapters/checked-exchange.ts";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { createMemoryEventLog } from "../adapters/event-log/memory.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import { createApply } from "../admin/apply.ts";
import { createAdmin, type Admin, type AdminOptions } from "../admin/create-admin.ts";
import { parseJsonObject, parseWatchLine, type AdminWatchEvent } from "./parse-admin-answer.ts";
import type { JsonObject } from "../base/json.ts";
import { monotonicMs } from "../base/ids.ts";
import type { Exchange, ExchangeEvents } from "../ports/http-front.ts";

/** The admin API over a memory store and a simulated clock, for tests. */
export function createAdminRig(options: Partial<AdminOptions> = {}) {
  const clock = createSimulatedClock();
  const store = createMemoryStore(clock);
  const log = createMemoryEventLog();
  const ports = { store, clock, log, apply: createApply(store), random: createSeededRandom(7), digest: createSha256KeyDigest() };
  const admin = createAdmin(ports, {
    host: "127.0.0.1",
    port: () => 8081,
    names: [],
    token: null,
    metrics: () => "# metrics\n",
    notReady: () => null,
    version: "0.0.0",
    ...options,
  });
  return { admin, store, clock, log, call: (line: string, more: CallOptions = {}) => callAdmin(admin, line, more) };
}

export interface CallOptions {
  /** Raw pairs; `host` is added unless one is given. */
  readonly headers?: readonly string[];
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly text: string;
  /** The body as a JSON object; empty where it is none. */
  readonly json: JsonObject;
}

/** Sends `METHOD target` and waits for the whole answer. */
async function callAdmin(admin: Admin, line: string, options: CallOptions = {}): Promise<Answer> {
  const exchange = openExchange(admin, line, options);
  await exchange.ended;
  const text = exchange.text();
  return { status: exchange.status(), headers: exchange.headers(), text, json: parseJsonObject(text) };
}

export interface OpenExchange {
  /** Resolves when the answer is complete or cut. */
  readonly ended: Promise<void>;
  status(): number;
  headers(): readonly string[];
  text(): string;
  /** Complete lines of a watch so far. */
  events(): readonly AdminWatchEvent[];
  /** From now on `write` says full, until `drain()`. */
  fill(): void;
  drain(): void;
  /** The client goes away. */
  leave(): void;
}

/** A client without a socket: what is sent arrives as two body pieces. */
export function openExchange(admin: Admin, line: string, options: CallOptions = {}): OpenExchange {
  const [method = "GET", target = "/"] = line.split(" ");
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const written: Uint8Array[] = [];
  let head: { readonly status: number; readonly headers: readonly string[] } = { status: 0, headers: [] };
  let isFull = false;
  let isEnded = false;
  const finish = (): void => {
    isEnded = true;
    resolve();
  };
  const headers = [...(options.headers ?? [])];
  if (!headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "host")) headers.push("host", "127.0.0.1:8081");
  if (options.body !== undefined) headers.push("content-type", options.contentType ?? "application/json");
  const exchange: Exchange = {
    method,
    target,
    httpVersion: "1.1",
    headers,
    remoteAddress: "127.0.0.1",
    arrivedAt: monotonicMs(0),
    pauseBody: () => undefined,
    resumeBody: () => undefined,
    head: (status, given) => void (head = { status, headers: given }),
    write(given) {
      written.push(given);
      return !isFull;
    },
    end: finish,
    abort: finish,
  };
  // Twice answered, written after the end, told of its end twice: each is found here.
  const events = checkedHandler(admin.handler)(exchange);
  sendBody(events, options.body ?? "", () => isEnded);
  const text = (): string => Buffer.concat(written).toString("utf8");
  return {
    ended,
    status: () => head.status,
    headers: () => head.headers,
    text,
    events: () =>
      text()
        .split("\n")
        .flatMap((one) => parseWatchLine(one) ?? []),
    fill: () => void (isFull = true),
    drain() {
      isFull = false;
      events.drained();
    },
    leave: () => events.gone(),
  };
}

function sendBody(events: ExchangeEvents, body: string | Uint8Array, isEnded: () => boolean): void {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const middle = Math.ceil(bytes.length / 2);
  const pieces = [bytes.subarray(0, middle), bytes.subarray(middle)].filter((piece) => piece.length > 0);
  // As the front does: nothing arrives inside the handler call itself, nor after the answer's end.
  void Promise.resolve().then(() => {
    for (const piece of pieces) if (!isEnded()) events.body(piece);
    if (!isEnded()) events.bodyEnd();
  });
}

/** A service that stands alone: no node is needed to check it. */
export const serviceManifest = (name: string, more: JsonObject = {}): JsonObject => ({
  apiVersion: "inference.example.com/v1",
  kind: "HotStandbyConfig",
  metadata: { name },
  spec: { tenant: name, tier: "silver", ...more },
});
export const SERVICES = "/apis/inference.example.com/v1/hotstandbyconfigs";
