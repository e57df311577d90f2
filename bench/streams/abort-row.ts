import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicMs } from "../failover/monotonic.ts";
import type { Progress } from "../failover/progress.ts";
import { atLeast, atMost, type Bar, type RowResult } from "../failover/report.ts";
import { seeded } from "../failover/seeded.ts";
import { largest, percentile } from "../failover/statistics.ts";
import { QUEUED_MODEL, RecordedWorld, SERVED_MODEL, type SeenRequest } from "./recorded-world.ts";

const PHASES = ["queued", "before the first byte", "mid-stream"] as const;
type Phase = (typeof PHASES)[number];

const UPSTREAM_ABORTED_P99_MAX_MS = 50;
/** Clients that go away, one after another each; the gateway serves all of them at once. */
const CLIENTS = 8;
/** Held beside the one that goes away: they must stay, and be served when somebody can. */
const HELD_BESIDE = 20;
const REACHED_WITHIN_MS = 10_000;
const GIVEN_UP_AFTER_MS = 2_000;
const LINGER_MAX_MS = 60;

export interface Abort {
  readonly phase: Phase;
  /** From the client's close to the end of its request at the engine; of a queued one, to the gateway having dropped it. Infinity = it ran on. */
  readonly endedAfterMs: number;
}

/** What a queued request that went away must never become. */
export interface QueueEnd {
  readonly abortedButAsked: number;
  readonly stayedButUnserved: number;
}

export function abortBars(aborts: readonly Abort[], queue: QueueEnd, count: number): readonly Bar[] {
  const bars = PHASES.flatMap((phase) => {
    const endedMs = timesOf(aborts, phase);
    const ranOn = endedMs.filter((ms) => !Number.isFinite(ms)).length;
    return [
      atLeast(`aborts, ${phase}`, endedMs.length, { min: count, unit: "aborts" }),
      atMost(`upstream aborted, p99, ${phase}`, percentile(endedMs, 0.99), { max: UPSTREAM_ABORTED_P99_MAX_MS, unit: "ms" }),
      atMost(`ran on, ${phase}`, ranOn, { max: 0, unit: "requests" }),
    ];
  });
  return [
    ...bars,
    atMost("queued, aborted, and sent all the same", queue.abortedButAsked, { max: 0, unit: "requests" }),
    atMost("queued beside them, and never served", queue.stayedButUnserved, { max: 0, unit: "requests" }),
  ];
}

const timesOf = (aborts: readonly Abort[], phase: Phase): readonly number[] =>
  aborts.filter((abort) => abort.phase === phase).map(({ endedAfterMs }) => endedAfterMs);

const describe = (aborts: readonly Abort[]): readonly string[] =>
  PHASES.map((phase) => {
    const endedMs = timesOf(aborts, phase);
    return `${phase}: p50 ${percentile(endedMs, 0.5)?.toFixed(1)} ms, longest ${largest(endedMs)?.toFixed(1)} ms`;
  });

export async function runAbortRow(count: number, seed: number, progress: Progress): Promise<RowResult> {
  const world = await RecordedWorld.start(2);
  try {
    const chance = seeded(seed);
    const aborts: Abort[] = [];
    for (const phase of ["before the first byte", "mid-stream"] as const) {
      let left = count;
      const client = async (): Promise<void> => {
        for (left -= 1; left >= 0; left -= 1) {
          aborts.push({
            phase,
            endedAfterMs: await abortRunning(world, phase, `abort-${phase === "mid-stream" ? "late" : "early"}-${left}`, chance),
          });
          progress.update(`aborts: ${aborts.length} of ${3 * count}`);
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
    }
    const queue = await abortQueued(world, count, (endedAfterMs) => {
      aborts.push({ phase: "queued", endedAfterMs });
      progress.update(`aborts: ${aborts.length} of ${3 * count}`);
    });
    return { row: "aborts", n: aborts.length, bars: abortBars(aborts, queue, count), notes: describe(aborts), control: null };
  } finally {
    world.stop();
  }
}

/** A client of one request over a connection of its own. */
class Client {
  readonly #socket: Socket;
  text = "";

  constructor(world: RecordedWorld, id: string, ask: { readonly model: string; readonly user: string }) {
    const { hostname, port } = new URL(world.url);
    const body = JSON.stringify({ ...ask, stream: true, messages: [{ role: "user", content: "tide" }] });
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${world.key}\r\nx-request-id: ${id}\r\n`;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on("data", (bytes: Buffer) => (this.text += bytes.toString("latin1")));
    this.#socket.on("error", () => this.#socket.destroy());
    this.#socket.write(`${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  }

  /** @returns when. */
  goAway(): number {
    const atMs = monotonicMs();
    this.#socket.destroy();
    return atMs;
  }
}

async function until<T>(look: () => T | null, withinMs: number): Promise<T | null> {
  const deadlineMs = monotonicMs() + withinMs;
  for (let found = look(); ; found = look()) {
    if (found !== null || monotonicMs() > deadlineMs) return found;
    await sleep(1);
  }
}

/** What the engine saw, by its own clock, which is this machine's. */
async function abortRunning(world: RecordedWorld, phase: Phase, id: string, chance: () => number): Promise<number> {
  const isEarly = phase === "before the first byte";
  const client = new Client(world, id, { model: SERVED_MODEL, user: isEarly ? "silent" : "loud" });
  const isReached = (): true | null => ((isEarly ? world.seen(id).length > 0 : client.text.includes("tide ")) ? true : null);
  if ((await until(isReached, REACHED_WITHIN_MS)) === null) throw new Error(`A request never was where it was to be aborted: ${phase}.`);
  await sleep(chance() * LINGER_MAX_MS);
  const goneAtMs = client.goAway();
  const areOver = (): readonly SeenRequest[] | null => {
    const seen = world.seen(id);
    return seen.every(({ overAtMs }) => overAtMs !== null) ? seen : null;
  };
  const over = await until(areOver, GIVEN_UP_AFTER_MS);
  if (over === null || over.some(({ isWhole }) => isWhole)) return Number.POSITIVE_INFINITY;
  return Math.max(0, ...over.map(({ overAtMs }) => (overAtMs ?? 0) - goneAtMs));
}

/** No engine knows of a queued request: the gateway's own gauge says that it is dropped, and what is sent when the queue opens proves it. */
async function abortQueued(world: RecordedWorld, count: number, saw: (endedAfterMs: number) => void): Promise<QueueEnd> {
  const held = (): Promise<number> => world.metric("tidegate_requests_held");
  const untilHeld = async (isSo: (held: number) => boolean, withinMs: number): Promise<number> => {
    const deadlineMs = monotonicMs() + withinMs;
    while (monotonicMs() < deadlineMs) if (isSo(await held())) return monotonicMs();
    return Number.POSITIVE_INFINITY;
  };
  const ask = { model: QUEUED_MODEL, user: "loud" };
  const beside = Array.from({ length: HELD_BESIDE }, (_, index) => new Client(world, `stays-${index}`, ask));
  for (let index = 0; index < count; index += 1) {
    if ((await untilHeld((now) => now === HELD_BESIDE, REACHED_WITHIN_MS)) === Number.POSITIVE_INFINITY)
      throw new Error("The queue is not as long as asked.");
    const client = new Client(world, `leaves-${index}`, ask);
    await untilHeld((now) => now === HELD_BESIDE + 1, REACHED_WITHIN_MS);
    const goneAtMs = client.goAway();
    saw((await untilHeld((now) => now === HELD_BESIDE, GIVEN_UP_AFTER_MS)) - goneAtMs);
  }
  world.openQueue();
  await until(() => (beside.every(({ text }) => text.includes("tide ")) ? true : null), REACHED_WITHIN_MS);
  const abortedButAsked = Array.from({ length: count }, (_, index) => world.seen(`leaves-${index}`).length).filter(
    (asked) => asked > 0,
  ).length;
  const stayedButUnserved = beside.filter(({ text }) => !text.includes("tide ")).length;
  for (const client of beside) client.goAway();
  return { abortedButAsked, stayedButUnserved };
}
