import { setTimeout as sleep } from "node:timers/promises";
import { ChatCall, chatPrefix, chatRequest, type ChatAnswer } from "../failover/chat-call.ts";
import { HttpPool } from "../failover/http-pool.ts";
import { monotonicMs } from "../failover/monotonic.ts";
import type { Progress } from "../failover/progress.ts";
import { atLeast, atMost, type Bar, type RowResult } from "../failover/report.ts";
import { largest } from "../failover/statistics.ts";
import { RecordedWorld, SERVED_MODEL } from "./recorded-world.ts";

const ENGINES = 3;
const CLIENTS = 50;
const STORM_MS = 5_000;
/** All is well so long, and fails again: whoever came back and took heart meets the next storm. */
const LULL_MS = 1_000;
const UPSTREAM_RATIO_MAX = 1.1;
/** An error is an answer too: nobody may wait for it longer than a client would. */
const ANSWERED_WITHIN_MS = 20_000;
const SERVED_WITHIN_MS = 10_000;

export interface StormCount {
  readonly clientRequests: number;
  readonly upstreamRequests: number;
  /** Neither a whole answer nor an error in OpenAI's form. */
  readonly unanswered: number;
  readonly longestMs: number | null;
  readonly failed: number;
}

export function stormBars(storm: StormCount, servedAfterMs: number | null): readonly Bar[] {
  const ratio = storm.clientRequests === 0 ? null : storm.upstreamRequests / storm.clientRequests;
  return [
    atLeast("client requests in the storm that failed", storm.failed, { min: CLIENTS, unit: "requests" }),
    atMost("upstream requests per client request", ratio, { max: UPSTREAM_RATIO_MAX, unit: "times" }),
    atMost("without a whole answer or an OpenAI error", storm.unanswered, { max: 0, unit: "requests" }),
    atMost("longest wait for an answer or an error", storm.longestMs, { max: ANSWERED_WITHIN_MS, unit: "ms" }),
    atMost("all clients served again after the storm", servedAfterMs, { max: SERVED_WITHIN_MS, unit: "ms" }),
  ];
}

interface Asked {
  readonly atMs: number;
  readonly tookMs: number;
  readonly answer: ChatAnswer;
}

/** Fifty clients that ask again as soon as they are answered. */
class Clients {
  readonly asked: Asked[] = [];
  readonly #pool: HttpPool;
  readonly #send: (isStream: boolean, done: (answer: ChatAnswer) => void) => void;
  #isStopping = false;
  #open = 0;
  sent = 0;

  constructor(world: RecordedWorld) {
    const { hostname, port } = new URL(world.url);
    const target = { host: hostname, port: Number(port), key: world.key };
    this.#pool = new HttpPool(target);
    this.#send = (isStream, done) => {
      const prefix = chatPrefix({ model: SERVED_MODEL, text: "tide", isStream });
      new ChatCall(isStream, done).sendOver(this.#pool, chatRequest(target, prefix, 8));
    };
    for (let index = 0; index < CLIENTS; index += 1) this.#ask(index % 2 === 0);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    const deadlineMs = monotonicMs() + ANSWERED_WITHIN_MS;
    while (this.#open > 0 && monotonicMs() < deadlineMs) await sleep(10);
    this.#pool.close();
  }

  get open(): number {
    return this.#open;
  }

  #ask(isStream: boolean): void {
    if (this.#isStopping) return;
    const atMs = monotonicMs();
    this.#open += 1;
    this.sent += 1;
    this.#send(isStream, (answer) => {
      this.#open -= 1;
      this.asked.push({ atMs, tookMs: monotonicMs() - atMs, answer });
      // A breath, as any client takes one: the row counts requests, not how fast errors can be made.
      setTimeout(() => this.#ask(isStream), 5);
    });
  }
}

const isWhole = ({ answer }: Asked): boolean => answer.outcome === "complete";
/** ChatCall reads the code of an OpenAI error; an error without one reads as its status. */
const isExplained = ({ answer }: Asked): boolean =>
  (answer.outcome === "error-status" && !answer.note.startsWith("status ")) || answer.outcome === "error-event";

export async function runStormRow(storms: number, progress: Progress): Promise<RowResult> {
  const world = await RecordedWorld.start(ENGINES);
  try {
    const upstream = (): number =>
      world.engines.reduce((sum, { seen }) => sum + [...seen.values()].reduce((all, { length }) => all + length, 0), 0);
    const clients = new Clients(world);
    // Of the storms alone: calm before and after them would hide what they amplify.
    const sent = { client: 0, upstream: 0 };
    for (let index = 1; index <= storms; index += 1) {
      await sleep(LULL_MS);
      progress.update(`storm ${index} of ${storms}: every engine answers 500`);
      world.mood("fail");
      const before = { client: clients.sent, upstream: upstream() };
      await sleep(STORM_MS);
      sent.client += clients.sent - before.client;
      sent.upstream += upstream() - before.upstream;
      world.mood("stream");
    }
    const overAtMs = monotonicMs();
    const servedAtMs = await untilServed(clients, overAtMs);
    await clients.stop();
    const { asked } = clients;
    const storm: StormCount = {
      clientRequests: sent.client,
      upstreamRequests: sent.upstream,
      unanswered: asked.filter((one) => !isWhole(one) && !isExplained(one)).length + clients.open,
      longestMs: largest(asked.map(({ tookMs }) => tookMs)),
      failed: asked.filter((one) => !isWhole(one)).length,
    };
    const byCode = Map.groupBy(asked, ({ answer }) => (answer.outcome === "complete" ? "served" : answer.note));
    const notes = [
      `in the storms ${sent.client} client requests and ${sent.upstream} upstream requests; in all ${clients.sent} and ${upstream()}`,
      ...[...byCode].map(([code, { length }]) => `${length}: ${code}`),
    ];
    return {
      row: "storm",
      n: storms,
      bars: stormBars(storm, servedAtMs === null ? null : servedAtMs - overAtMs),
      notes,
      control: null,
    };
  } finally {
    world.stop();
  }
}

/** @returns since when as many answers as there are clients, one after another, were whole; null = never. */
async function untilServed(clients: Clients, fromMs: number): Promise<number | null> {
  for (const deadlineMs = fromMs + 2 * SERVED_WITHIN_MS; monotonicMs() < deadlineMs; await sleep(20)) {
    const last = clients.asked.filter(({ atMs }) => atMs >= fromMs).slice(-CLIENTS);
    const [first] = last;
    if (first !== undefined && last.length === CLIENTS && last.every(isWhole)) return first.atMs;
  }
  return null;
}
