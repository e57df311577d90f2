import { isJsonObject, type JsonObject } from "../base/json.ts";
import { DONE_EVENT, firstChoice, type ChunkForm } from "../wire/continued-chunk.ts";
import { readChunkExtras } from "../wire/chunk-extras.ts";
import type { StopStrings } from "../wire/continuity.ts";
import { glanceSseEvent, parseSseJson } from "../wire/parse-sse-event.ts";
import { CrossingStop } from "./crossing-stop.ts";
import { EventRelay } from "./event-relay.ts";
import { settleOwed } from "./owed-text.ts";
import { IDS_FRAME_BYTES_MAX } from "./relay-stream.ts";
import type { RelaySink, Tokens } from "./relay.ts";
import type { Continuation, StreamJournal } from "./stream-journal.ts";

const ALL_IDS = { takesIds: true, takesUsage: true };

export interface ContinuedSink extends RelaySink {
  /** The answer is complete, though its engine goes on: that stops at once. Instead of `done`. */
  cut(tokens: Tokens): void;
}

interface ContinuedOf {
  readonly from: Continuation;
  readonly journal: StreamJournal;
  readonly includesUsage: boolean;
  readonly stops: StopStrings | null;
}

/**
 * The rest of a stream, made by another engine from the ids of what was shown: told in the form of the chunks before it, under
 * the same id, with the usage of the whole. Where that engine makes again what was shown already, it must say the same.
 */
export class ContinuedRelay extends EventRelay<ContinuedSink> {
  readonly #from: Continuation;
  readonly #journal: StreamJournal;
  readonly #includesUsage: boolean;
  readonly #form: ChunkForm;
  readonly #crossing: CrossingStop | null;
  /** Shown, and still to be made again. */
  #again: string;
  #madeTokens = 0;
  #usage: JsonObject | null = null;
  #hasFinish = false;

  constructor(sink: ContinuedSink, { from, journal, includesUsage, stops }: ContinuedOf) {
    super(sink, IDS_FRAME_BYTES_MAX);
    this.#from = from;
    this.#journal = journal;
    this.#journal.rewind();
    this.#includesUsage = includesUsage;
    this.#form = from.form;
    this.#again = from.overlap?.again ?? "";
    // What holds text back for a stop string has seen all of each that begins before the cut: one that is there was one to be passed over.
    const mayCross = stops?.areShown === true && from.overlap !== null;
    this.#crossing = mayCross ? new CrossingStop(from.overlap.before, stops.strings) : null;
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
    const reading = readChunkExtras(frame, ALL_IDS);
    if (reading === null) return this.fail("upstream_malformed");
    // Its first chunk names every id of the prompt: those are not built.
    const chunk = parseSseJson(reading.rest);
    if (chunk === null) return this.fail("upstream_malformed");
    if (isJsonObject(chunk["usage"])) this.#usage = chunk["usage"];
    const choice = firstChoice(chunk);
    if (choice === null) return;
    const told = choice["text"];
    if (typeof told !== "string") return this.fail("upstream_malformed");
    this.#madeTokens += reading.ids === null ? 1 : reading.idCount;
    this.sink.progressed();
    const crossed = this.#crossing?.push(told) ?? null;
    const finish = crossed === null ? (choice["finish_reason"] ?? null) : "stop";
    const text = this.#fresh(crossed === null ? told : told.slice(0, crossed.end));
    if (text === null || (finish !== null && this.#again !== "")) return this.fail("upstream_diverged");
    const stopReason = crossed === null || choice["stop_reason"] === undefined ? choice["stop_reason"] : crossed.stop;
    const shown = text === "" && finish === null ? null : this.#form.text({ text, finish, stopReason });
    this.#journal.take({ ...reading, hasFinish: finish !== null, promptIds: null, shown }, told);
    if (finish !== null) this.#hasFinish = true;
    if (shown !== null) this.sink.wrote(shown);
    if (crossed !== null) this.#close({ outputTokens: this.#from.shownTokens + this.#madeTokens, isCut: true });
  }

  /** What of a text is new to the client. null = it is not what was shown. */
  #fresh(text: string): string | null {
    const settled = settleOwed(this.#again, text);
    if (settled === null) return null;
    this.#again = settled.owed;
    return settled.fresh;
  }

  /** What the first engine made counts as made. */
  #done(): void {
    if (!this.#hasFinish) return this.fail("upstream_truncated");
    const made = this.#usage?.["completion_tokens"];
    this.#close({ outputTokens: this.#from.shownTokens + (typeof made === "number" ? made : this.#madeTokens), isCut: false });
  }

  /** The prompt is what it was at first. */
  #close({ outputTokens, isCut }: { readonly outputTokens: number; readonly isCut: boolean }): void {
    this.isOver = true;
    const { shownTokens } = this.#from;
    const read = this.#usage?.["prompt_tokens"];
    const promptTokens = this.#from.promptTokens ?? (typeof read === "number" ? read - shownTokens : 0);
    if (this.#includesUsage)
      this.sink.wrote(
        this.#form.usage({ prompt_tokens: promptTokens, completion_tokens: outputTokens, total_tokens: promptTokens + outputTokens }),
      );
    this.sink.wrote(DONE_EVENT);
    if (isCut) this.sink.cut({ promptTokens, outputTokens });
    else this.sink.done({ promptTokens, outputTokens });
  }
}
