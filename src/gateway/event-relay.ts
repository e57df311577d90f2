import type { AttemptFailure } from "../routing/next-attempt.ts";
import { SseFrames } from "../wire/sse-frames.ts";
import type { Relay, RelaySink } from "./relay.ts";

/** What all relays of streams have in common: whole events come one by one, until one of them, or a cut, ends it. */
export abstract class EventRelay<Sink extends RelaySink = RelaySink> implements Relay {
  protected readonly sink: Sink;
  protected isOver = false;
  readonly #frames: SseFrames;

  /** @param frameBytesMax what is longer is no event of an engine. */
  constructor(sink: Sink, frameBytesMax?: number) {
    this.sink = sink;
    this.#frames = new SseFrames(frameBytesMax);
  }

  data(lent: Uint8Array): void {
    if (this.isOver) return;
    const frames = this.#frames.push(lent);
    if (frames === null) return this.fail("upstream_malformed");
    for (const frame of frames) if (!this.isOver) this.frame(frame);
  }

  end(): void {
    if (!this.isOver) this.fail("upstream_truncated");
  }

  protected abstract frame(frame: Buffer): void;

  protected fail(code: AttemptFailure["code"]): void {
    this.isOver = true;
    this.sink.unusable({ isHard: false, code });
  }
}
