import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { readResponsesEvent, responsesEvent } from "../wire/parse-responses-event.ts";
import { parseSseJson } from "../wire/parse-sse-event.ts";
import { learnNames, renamed, sayingOf } from "../wire/response-events.ts";
import { SseFrames } from "../wire/sse-frames.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";
import { RESPONSES_FRAME_BYTES_MAX } from "./relay-responses.ts";
import type { Relay, RelaySink, Tokens } from "./relay.ts";
import type { ShownJournal } from "./shown-journal.ts";

/**
 * A streamed response made again from its beginning by another engine: compared, event by event, with what its client was shown, and told
 * from there on under the names, the time and the count of the first. Where it differs it is not told.
 */
export class RestartedResponsesRelay implements Relay {
  readonly #sink: RelaySink;
  readonly #journal: ShownJournal;
  readonly #frames = new SseFrames(RESPONSES_FRAME_BYTES_MAX);
  /** Shown, and not made again yet, by place. */
  readonly #owedText = new Map<string, string>();
  readonly #owedMarks = new Map<string, JsonObject>();
  readonly #names = new Map<string, string>();
  readonly #createdAt: JsonValue | undefined;
  #sequence: number;
  #contentCount = 0;
  #isOver = false;

  constructor(sink: RelaySink, journal: ShownJournal) {
    this.#sink = sink;
    this.#journal = journal;
    this.#sequence = journal.nextSequence();
    const events = journal.chunks.map(parseSseJson).filter((event) => event !== null);
    const response = events[0]?.["response"];
    this.#createdAt = isJsonObject(response) ? response["created_at"] : undefined;
    for (const event of events) {
      const saying = sayingOf(event);
      if (saying.kind === "mark") this.#owedMarks.set(saying.place, event);
      else this.#owedText.set(saying.place, (this.#owedText.get(saying.place) ?? "") + saying.text);
    }
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
    const read = readResponsesEvent(frame);
    switch (read.kind) {
      case "empty":
        return;
      case "error":
        return this.#fail("upstream_error");
      case "garbage":
        return this.#fail("upstream_malformed");
      case "content":
        this.#contentCount += 1;
        this.#sink.progressed();
        break;
      case "preamble":
      case "end":
    }
    const event = parseSseJson(frame);
    if (event === null) return this.#fail("upstream_malformed");
    this.#event(event);
    if (read.kind === "end" && !this.#isOver) this.#done(read.tokens);
  }

  #event(event: JsonObject): void {
    const saying = sayingOf(event);
    if (saying.kind === "piece") return this.#piece(event, saying.place, saying.text);
    const shown = this.#owedMarks.get(saying.place);
    if (shown === undefined) return this.#tell(event);
    const before = sayingOf(shown);
    if (before.kind !== "mark" || before.said !== saying.said) return this.#fail("upstream_diverged");
    this.#owedMarks.delete(saying.place);
    learnNames(this.#names, shown, event);
  }

  #piece(event: JsonObject, place: string, text: string): void {
    const owed = this.#owedText.get(place) ?? "";
    const same = Math.min(owed.length, text.length);
    if (owed.slice(0, same) !== text.slice(0, same)) return this.#fail("upstream_diverged");
    if (owed.length > same) this.#owedText.set(place, owed.slice(same));
    else this.#owedText.delete(place);
    if (text.length > same) this.#tell({ ...event, delta: text.slice(same) });
  }

  /** What is new. It must not come before all that was shown. */
  #tell(event: JsonObject): void {
    const { type } = event;
    if (this.#owedText.size > 0 || this.#owedMarks.size > 0) return this.#fail("upstream_diverged");
    const told = renamed(event, this.#names, this.#createdAt);
    if (typeof type !== "string" || !isJsonObject(told)) return this.#fail("upstream_malformed");
    const shown = responsesEvent({ ...told, type, sequence_number: this.#sequence });
    this.#sequence += 1;
    this.#journal.take({ shown, hasFinish: false });
    this.#sink.wrote(shown);
  }

  #done(tokens: Tokens | null): void {
    this.#isOver = true;
    this.#sink.done(tokens ?? { promptTokens: 0, outputTokens: this.#contentCount });
  }

  #fail(code: AttemptFailure["code"]): void {
    this.#isOver = true;
    this.#sink.unusable({ isHard: false, code });
  }
}
