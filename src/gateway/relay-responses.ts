import { readResponsesEvent } from "../wire/parse-responses-event.ts";
import { SseFrames } from "../wire/sse-frames.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";
import type { Relay, RelaySink, Tokens } from "./relay.ts";
import type { ShownJournal } from "./shown-journal.ts";

/** The first events and the last repeat instructions and tools, as long as a body may be, escaped. */
export const RESPONSES_FRAME_BYTES_MAX = 8_388_608;

/**
 * A streamed response. As of a chat, everything up to the first content is held back, and only whole events are passed on; its end is an
 * event that says so: without one it is cut, however its framing ends.
 */
export class ResponsesRelay implements Relay {
  readonly #sink: RelaySink;
  readonly #journal: ShownJournal | null;
  readonly #frames = new SseFrames(RESPONSES_FRAME_BYTES_MAX);
  #held: Buffer[] | null = [];
  #heldBytes = 0;
  #contentCount = 0;
  #isOver = false;

  /** @param journal null = nothing of it is kept. */
  constructor(sink: RelaySink, journal: ShownJournal | null) {
    this.#sink = sink;
    this.#journal = journal;
  }

  data(lent: Uint8Array): void {
    if (this.#isOver) return;
    const frames = this.#frames.push(lent);
    if (frames === null) return this.#fail("upstream_malformed");
    for (const frame of frames) if (!this.#isOver) this.#frame(frame);
  }

  end(): void {
    if (!this.#isOver) this.#fail("upstream_truncated");
  }

  #frame(frame: Buffer): void {
    const event = readResponsesEvent(frame);
    switch (event.kind) {
      case "empty":
        return this.#pass(frame);
      case "preamble":
        this.#journal?.take({ shown: frame, hasFinish: false });
        return this.#pass(frame);
      case "content":
        this.#contentCount += 1;
        this.#sink.progressed();
        return this.#show(frame);
      case "end":
        return this.#done(frame, event.tokens);
      case "error":
        return this.#fail("upstream_error");
      case "garbage":
        return this.#fail("upstream_malformed");
    }
  }

  #pass(frame: Buffer): void {
    if (this.#held === null) return this.#sink.wrote(frame);
    this.#held.push(frame);
    this.#heldBytes += frame.length;
    if (this.#heldBytes > 2 * RESPONSES_FRAME_BYTES_MAX) this.#fail("upstream_malformed");
  }

  #show(frame: Buffer): void {
    this.#journal?.take({ shown: frame, hasFinish: false });
    this.#open();
    this.#sink.wrote(frame);
  }

  #done(frame: Buffer, tokens: Tokens | null): void {
    this.#isOver = true;
    // An answer may be empty: its end is its first word.
    if (this.#contentCount === 0) this.#sink.progressed();
    this.#show(frame);
    this.#sink.done(tokens ?? { promptTokens: 0, outputTokens: this.#contentCount });
  }

  #open(): void {
    if (this.#held === null) return;
    const held = this.#held;
    this.#held = null;
    this.#sink.begin();
    for (const frame of held) this.#sink.wrote(frame);
  }

  #fail(code: AttemptFailure["code"]): void {
    this.#isOver = true;
    this.#sink.unusable({ isHard: false, code });
  }
}
