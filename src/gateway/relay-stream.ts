import { glanceSseEvent, parseSseEvent, parseSseUsage } from "../wire/parse-sse-event.ts";
import { readChunkExtras, type ChunkReading, type ChunkWish } from "../wire/chunk-extras.ts";
import { FRAME_BYTES_MAX, SseFrames } from "../wire/sse-frames.ts";
import type { Relay, RelaySink, Tokens } from "./relay.ts";

/** Reads each chunk as its engine sent it. */
interface Journal {
  take(reading: ChunkReading): void;
}

/** What may come before the first content token: the role chunk and comments. */
const PREAMBLE_BYTES_MAX = 262_144;
/** The first chunk names every token of the prompt: a million of them. */
export const IDS_FRAME_BYTES_MAX = 8_388_608;

/**
 * A streamed answer. Everything up to the first content token is held back, so that a death before it is retried unseen;
 * only whole events are passed on, so that a cut never leaves half an event with the client.
 */
export class StreamRelay implements Relay {
  readonly #sink: RelaySink;
  readonly #wish: ChunkWish;
  readonly #journal: Journal | null;
  readonly #frames: SseFrames;
  #held: Buffer[] | null = [];
  #heldBytes = 0;
  #isOver = false;
  #contentCount = 0;
  #usage: Tokens | null = null;

  /**
   * @param wish what the gateway asked the engine for, beside what the client wants: it is taken out again.
   * @param journal null = nothing of it is kept.
   */
  constructor(sink: RelaySink, wish: ChunkWish, journal: Journal | null) {
    this.#sink = sink;
    this.#wish = wish;
    this.#frames = new SseFrames(wish.takesIds ? IDS_FRAME_BYTES_MAX : FRAME_BYTES_MAX);
    this.#journal = journal;
  }

  data(lent: Uint8Array): void {
    if (this.#isOver) return;
    const frames = this.#frames.push(lent);
    if (frames === null) {
      this.#isOver = true;
      this.#sink.unusable({ isHard: false, code: "upstream_malformed" });
      return;
    }
    for (const frame of frames) if (!this.#isOver) this.#frame(frame);
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.unusable({ isHard: false, code: "upstream_truncated" });
  }

  #frame(frame: Buffer): void {
    const event = this.#held === null ? glanceSseEvent(frame) : parseSseEvent(frame);
    switch (event.kind) {
      case "empty":
        this.#pass(frame);
        return;
      case "preamble":
        this.#chunk(frame, (shown) => this.#pass(shown));
        return;
      case "content":
        this.#contentCount += 1;
        this.#sink.progressed();
        if (event.mayTellUsage && this.#sawUsage(frame)) return;
        this.#chunk(frame, (shown) => {
          this.#open();
          this.#sink.wrote(shown);
        });
        return;
      case "done":
        this.#isOver = true;
        this.#open();
        this.#sink.wrote(frame);
        this.#sink.done(this.#usage ?? { promptTokens: 0, outputTokens: this.#contentCount });
        return;
      case "error":
        this.#isOver = true;
        this.#sink.unusable({ isHard: false, code: "upstream_error" });
        return;
      case "garbage":
        this.#isOver = true;
        this.#sink.unusable({ isHard: false, code: "upstream_malformed" });
    }
  }

  /** @returns whether it says nothing else, to a client that did not ask. */
  #sawUsage(frame: Buffer): boolean {
    const told = parseSseUsage(frame);
    this.#usage = told ?? this.#usage;
    return told !== null && told.isAlone && this.#wish.takesUsage;
  }

  /** A chunk without what only the gateway asked for; the journal reads it as it was. */
  #chunk(frame: Buffer, show: (shown: Buffer) => void): void {
    if (this.#journal === null && !this.#wish.takesUsage) return show(frame);
    const reading = readChunkExtras(frame, this.#wish);
    if (reading === null) {
      this.#isOver = true;
      this.#sink.unusable({ isHard: false, code: "upstream_malformed" });
      return;
    }
    this.#journal?.take(reading);
    if (reading.shown !== null) show(reading.shown);
  }

  #pass(frame: Buffer): void {
    if (this.#held === null) {
      this.#sink.wrote(frame);
      return;
    }
    this.#held.push(frame);
    this.#heldBytes += frame.length;
    if (this.#heldBytes <= PREAMBLE_BYTES_MAX) return;
    this.#isOver = true;
    this.#sink.unusable({ isHard: false, code: "upstream_malformed" });
  }

  /** First content: the head and what was held back go out before it. */
  #open(): void {
    if (this.#held === null) return;
    const held = this.#held;
    this.#held = null;
    this.#sink.begin();
    for (const frame of held) this.#sink.wrote(frame);
  }
}
