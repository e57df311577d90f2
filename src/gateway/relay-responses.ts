import { readResponsesEvent } from "../wire/parse-responses-event.ts";
import { EventRelay } from "./event-relay.ts";
import { Preamble } from "./preamble.ts";
import type { RelaySink, Tokens } from "./relay.ts";
import type { ShownJournal } from "./shown-journal.ts";

/** The first events and the last repeat instructions and tools, as long as a body may be, escaped. */
export const RESPONSES_FRAME_BYTES_MAX = 8_388_608;

/**
 * A streamed response. As of a chat, everything up to the first content is held back, and only whole events are passed on; its end is an
 * event that says so: without one it is cut, however its framing ends.
 */
export class ResponsesRelay extends EventRelay {
  readonly #preamble: Preamble;
  readonly #journal: ShownJournal | null;
  #contentCount = 0;

  /** @param journal null = nothing of it is kept. */
  constructor(sink: RelaySink, journal: ShownJournal | null) {
    super(sink, RESPONSES_FRAME_BYTES_MAX);
    this.#preamble = new Preamble(sink, 2 * RESPONSES_FRAME_BYTES_MAX);
    this.#journal = journal;
  }

  protected override frame(frame: Buffer): void {
    const event = readResponsesEvent(frame);
    switch (event.kind) {
      case "empty":
        return this.#pass(frame);
      case "preamble":
        this.#journal?.take({ shown: frame, hasFinish: false });
        return this.#pass(frame);
      case "content":
        this.#contentCount += 1;
        this.sink.progressed();
        return this.#show(frame);
      case "end":
        return this.#done(frame, event.tokens);
      case "error":
        return this.fail("upstream_error");
      case "garbage":
        return this.fail("upstream_malformed");
    }
  }

  #pass(frame: Buffer): void {
    if (!this.#preamble.pass(frame)) this.fail("upstream_malformed");
  }

  #show(frame: Buffer): void {
    this.#journal?.take({ shown: frame, hasFinish: false });
    this.#preamble.open();
    this.sink.wrote(frame);
  }

  #done(frame: Buffer, tokens: Tokens | null): void {
    this.isOver = true;
    // An answer may be empty: its end is its first word.
    if (this.#contentCount === 0) this.sink.progressed();
    this.#show(frame);
    this.sink.done(tokens ?? { promptTokens: 0, outputTokens: this.#contentCount });
  }
}
