import { isJsonObject, type JsonObject } from "../base/json.ts";
import { piecesOf, withPieces } from "../wire/answer-pieces.ts";
import { DONE_EVENT, eventOf, firstChoice } from "../wire/continued-chunk.ts";
import { glanceSseEvent, parseUsage, parseSseJson } from "../wire/parse-sse-event.ts";
import { EventRelay } from "./event-relay.ts";
import { settleOwed } from "./owed-text.ts";
import type { RelaySink, Tokens } from "./relay.ts";
import type { ShownJournal } from "./shown-journal.ts";

/**
 * A stream made again from its beginning by another engine: compared with what its client was shown, and told from there on under the
 * same id. Where it differs it is not told: nobody gets an answer that no engine made.
 */
export class RestartedRelay extends EventRelay {
  readonly #journal: ShownJournal;
  readonly #includesUsage: boolean;
  /** Of the first chunk: what all of one answer share. */
  readonly #shared: JsonObject;
  /** Shown, and not made again yet, by place. */
  readonly #owed = new Map<string, string>();
  /** The client has the reason of the end; only usage is missing. */
  readonly #hasShownFinish: boolean;
  #contentCount = 0;
  #usage: Tokens | null = null;
  #hasFinish = false;

  constructor(sink: RelaySink, of: { readonly journal: ShownJournal; readonly includesUsage: boolean }) {
    super(sink);
    this.#journal = of.journal;
    this.#includesUsage = of.includesUsage;
    const chunks = of.journal.chunks.map(parseSseJson).filter((chunk) => chunk !== null);
    const { id, created, model } = chunks[0] ?? {};
    this.#shared = { id, created, model };
    for (const chunk of chunks)
      for (const { place, text } of piecesOf(firstChoice(chunk) ?? {})) this.#owed.set(place, (this.#owed.get(place) ?? "") + text);
    this.#hasShownFinish = of.journal.hasFinish;
  }

  protected override frame(frame: Buffer): void {
    switch (glanceSseEvent(frame).kind) {
      case "empty":
      case "preamble":
        return;
      case "content":
        return this.#content(frame);
      case "done":
        return this.#done();
      case "error":
        return this.fail("upstream_error");
      case "garbage":
        return this.fail("upstream_malformed");
    }
  }

  #content(frame: Buffer): void {
    const chunk = parseSseJson(frame);
    if (chunk === null) return this.fail("upstream_malformed");
    this.#contentCount += 1;
    this.sink.progressed();
    this.#usage = parseUsage(chunk["usage"]) ?? this.#usage;
    const choice = firstChoice(chunk);
    if (choice === null) return this.#includesUsage && isJsonObject(chunk["usage"]) ? this.#tell(chunk, []) : undefined;
    const left = this.#compared(choice);
    if (left === null) return this.fail("upstream_diverged");
    const isFinish = (choice["finish_reason"] ?? null) !== null;
    if ((left.size > 0 || isFinish) && this.#owed.size > 0) return this.fail("upstream_diverged");
    if (isFinish) this.#hasFinish = true;
    const shown = withPieces(choice, left);
    if (shown !== null && !this.#hasShownFinish) this.#tell(chunk, [shown]);
  }

  /** What of a chunk is new, by place. null = it says something else than was shown. */
  #compared(choice: JsonObject): ReadonlyMap<string, string> | null {
    const left = new Map<string, string>();
    for (const { place, text } of piecesOf(choice)) {
      const settled = settleOwed(this.#owed.get(place) ?? "", text);
      if (settled === null) return null;
      if (settled.owed === "") this.#owed.delete(place);
      else this.#owed.set(place, settled.owed);
      if (settled.fresh !== "") left.set(place, (left.get(place) ?? "") + settled.fresh);
    }
    return left;
  }

  #tell(chunk: JsonObject, choices: readonly JsonObject[]): void {
    const { usage, ...rest } = chunk;
    const shown = eventOf({ ...rest, ...this.#shared, choices, ...(this.#includesUsage ? { usage: usage ?? null } : {}) });
    const hasFinish = choices.some((choice) => (choice["finish_reason"] ?? null) !== null);
    this.#journal.take({ shown, hasFinish, tellsUsage: choices.length === 0 });
    this.sink.wrote(shown);
  }

  #done(): void {
    if (!this.#hasFinish) return this.fail("upstream_truncated");
    this.isOver = true;
    this.sink.wrote(DONE_EVENT);
    this.sink.done(this.#usage ?? { promptTokens: 0, outputTokens: this.#contentCount });
  }
}
