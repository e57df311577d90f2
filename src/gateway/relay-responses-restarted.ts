import { isJsonObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { readResponsesEvent, responsesEvent } from "../wire/parse-responses-event.ts";
import { parseSseJson } from "../wire/parse-sse-event.ts";
import { learnNames, renamed, sayingOf } from "../wire/response-events.ts";
import { EventRelay } from "./event-relay.ts";
import { settleOwed } from "./owed-text.ts";
import { RESPONSES_FRAME_BYTES_MAX } from "./relay-responses.ts";
import type { RelaySink, Tokens } from "./relay.ts";
import type { ShownJournal } from "./shown-journal.ts";

/**
 * A streamed response made again from its beginning by another engine: compared, event by event, with what its client was shown, and told
 * from there on under the names, the time and the count of the first. Where it differs it is not told.
 */
export class RestartedResponsesRelay extends EventRelay {
  readonly #journal: ShownJournal;
  /** Shown, and not made again yet, by place. */
  readonly #owedText = new Map<string, string>();
  readonly #owedMarks = new Map<string, JsonObject>();
  readonly #names = new Map<string, string>();
  readonly #createdAt: JsonValue | undefined;
  #sequence: number;
  #contentCount = 0;

  constructor(sink: RelaySink, journal: ShownJournal) {
    super(sink, RESPONSES_FRAME_BYTES_MAX);
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

  protected override frame(frame: Buffer): void {
    const read = readResponsesEvent(frame);
    switch (read.kind) {
      case "empty":
        return;
      case "error":
        return this.fail("upstream_error");
      case "garbage":
        return this.fail("upstream_malformed");
      case "content":
        this.#contentCount += 1;
        this.sink.progressed();
        break;
      case "preamble":
      case "end":
    }
    const event = parseSseJson(frame);
    if (event === null) return this.fail("upstream_malformed");
    this.#event(event);
    if (read.kind === "end" && !this.isOver) this.#done(read.tokens);
  }

  #event(event: JsonObject): void {
    const saying = sayingOf(event);
    if (saying.kind === "piece") return this.#piece(event, saying.place, saying.text);
    const shown = this.#owedMarks.get(saying.place);
    if (shown === undefined) return this.#tell(event);
    const before = sayingOf(shown);
    if (before.kind !== "mark" || before.said !== saying.said) return this.fail("upstream_diverged");
    this.#owedMarks.delete(saying.place);
    learnNames(this.#names, shown, event);
  }

  #piece(event: JsonObject, place: string, text: string): void {
    const settled = settleOwed(this.#owedText.get(place) ?? "", text);
    if (settled === null) return this.fail("upstream_diverged");
    if (settled.owed === "") this.#owedText.delete(place);
    else this.#owedText.set(place, settled.owed);
    if (settled.fresh !== "") this.#tell({ ...event, delta: settled.fresh });
  }

  /** What is new. It must not come before all that was shown. */
  #tell(event: JsonObject): void {
    const { type } = event;
    if (this.#owedText.size > 0 || this.#owedMarks.size > 0) return this.fail("upstream_diverged");
    const told = renamed(event, this.#names, this.#createdAt);
    if (typeof type !== "string" || !isJsonObject(told)) return this.fail("upstream_malformed");
    const shown = responsesEvent({ ...told, type, sequence_number: this.#sequence });
    this.#sequence += 1;
    this.#journal.take({ shown, hasFinish: false });
    this.sink.wrote(shown);
  }

  #done(tokens: Tokens | null): void {
    this.isOver = true;
    this.sink.done(tokens ?? { promptTokens: 0, outputTokens: this.#contentCount });
  }
}
