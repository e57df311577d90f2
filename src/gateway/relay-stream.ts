import { glanceSseEvent, parseSseEvent, parseSseUsage } from "../wire/parse-sse-event.ts";
import { SseFrames } from "../wire/sse-frames.ts";
import type { Relay, RelaySink, Tokens } from "./relay.ts";

/** What may come before the first content token: the role chunk and comments. */
const PREAMBLE_BYTES_MAX = 262_144;

/**
 * A streamed answer. Everything up to the first content token is held back, so that a death before it is retried unseen;
 * only whole events are passed on, so that a cut never leaves half an event with the client.
 */
export class StreamRelay implements Relay {
  readonly #sink: RelaySink;
  readonly #frames = new SseFrames();
  #held: Buffer[] | null = [];
  #heldBytes = 0;
  #isOver = false;
  #contentCount = 0;
  #usage: Tokens | null = null;

  constructor(sink: RelaySink) {
    this.#sink = sink;
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
      case "preamble":
        this.#pass(frame);
        return;
      case "content":
        this.#contentCount += 1;
        this.#sink.progressed();
        if (event.mayTellUsage) this.#usage = parseSseUsage(frame) ?? this.#usage;
        this.#open();
        this.#sink.wrote(frame);
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
