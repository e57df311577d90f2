import { glanceSseEvent, parseSseEvent, parseSseUsage } from "../wire/parse-sse-event.ts";
import { readChunkExtras, type ChunkReading, type ChunkWish } from "../wire/chunk-extras.ts";
import { FRAME_BYTES_MAX } from "../wire/sse-frames.ts";
import { EventRelay } from "./event-relay.ts";
import { Preamble } from "./preamble.ts";
import type { RelaySink, Tokens } from "./relay.ts";

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
export class StreamRelay extends EventRelay {
  readonly #wish: ChunkWish;
  readonly #journal: Journal | null;
  readonly #preamble: Preamble;
  #contentCount = 0;
  #usage: Tokens | null = null;

  /**
   * @param wish what the gateway asked the engine for, beside what the client wants: it is taken out again.
   * @param journal null = nothing of it is kept.
   */
  constructor(sink: RelaySink, wish: ChunkWish, journal: Journal | null) {
    super(sink, wish.takesIds ? IDS_FRAME_BYTES_MAX : FRAME_BYTES_MAX);
    this.#wish = wish;
    this.#preamble = new Preamble(sink, PREAMBLE_BYTES_MAX);
    this.#journal = journal;
  }

  protected override frame(frame: Buffer): void {
    const event = this.#preamble.isOver ? glanceSseEvent(frame) : parseSseEvent(frame);
    switch (event.kind) {
      case "empty":
        this.#pass(frame);
        return;
      case "preamble":
        this.#chunk(frame, (shown) => this.#pass(shown));
        return;
      case "content":
        this.#contentCount += 1;
        this.sink.progressed();
        if (event.mayTellUsage && this.#sawUsage(frame)) return;
        this.#chunk(frame, (shown) => {
          this.#preamble.open();
          this.sink.wrote(shown);
        });
        return;
      case "done":
        this.isOver = true;
        this.#preamble.open();
        this.sink.wrote(frame);
        this.sink.done(this.#usage ?? { promptTokens: 0, outputTokens: this.#contentCount });
        return;
      case "error":
        return this.fail("upstream_error");
      case "garbage":
        return this.fail("upstream_malformed");
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
    if (reading === null) return this.fail("upstream_malformed");
    this.#journal?.take(reading);
    if (reading.shown !== null) show(reading.shown);
  }

  #pass(frame: Buffer): void {
    if (!this.#preamble.pass(frame)) this.fail("upstream_malformed");
  }
}
