import { isJsonObject, type JsonObject } from "../base/json.ts";
import { chunkForm, DONE_EVENT, firstChoice, type ChunkForm } from "../wire/continued-chunk.ts";
import { readChunkExtras } from "../wire/chunk-extras.ts";
import { glanceSseEvent, parseSseJson } from "../wire/parse-sse-event.ts";
import { SseFrames } from "../wire/sse-frames.ts";
import { IDS_FRAME_BYTES_MAX } from "./relay-stream.ts";
import type { Relay, RelaySink } from "./relay.ts";
import type { Continuation, StreamJournal } from "./stream-journal.ts";

const ALL_IDS = { takesIds: true, takesUsage: true };

/**
 * The rest of a stream, made by another engine from the ids of what was shown: told in the form of the chunks before it, under
 * the same id, with the usage of the whole.
 */
export class ContinuedRelay implements Relay {
  readonly #sink: RelaySink;
  readonly #from: Continuation;
  readonly #journal: StreamJournal;
  readonly #includesUsage: boolean;
  readonly #form: ChunkForm | null;
  readonly #frames = new SseFrames(IDS_FRAME_BYTES_MAX);
  #madeTokens = 0;
  #usage: JsonObject | null = null;
  #hasFinish = false;
  #isOver = false;

  constructor(sink: RelaySink, of: { readonly from: Continuation; readonly journal: StreamJournal; readonly includesUsage: boolean }) {
    this.#sink = sink;
    this.#from = of.from;
    this.#journal = of.journal;
    this.#journal.rewind();
    this.#includesUsage = of.includesUsage;
    this.#form = chunkForm(of.from.template);
  }

  data(lent: Uint8Array): void {
    if (this.#isOver) return;
    const frames = this.#frames.push(lent);
    if (frames === null || this.#form === null) return this.#fail("upstream_malformed");
    for (const frame of frames) if (!this.#isOver) this.#frame(frame, this.#form);
  }

  end(): void {
    if (!this.#isOver) this.#fail("upstream_truncated");
  }

  #frame(frame: Buffer, form: ChunkForm): void {
    switch (glanceSseEvent(frame).kind) {
      case "empty":
      case "preamble":
        return;
      case "content":
        return this.#content(frame, form);
      case "done":
        return this.#done(form);
      case "error":
        return this.#fail("upstream_error");
      case "garbage":
        return this.#fail("upstream_malformed");
    }
  }

  #content(frame: Buffer, form: ChunkForm): void {
    const chunk = parseSseJson(frame);
    const reading = readChunkExtras(frame, ALL_IDS);
    if (chunk === null || reading === null) return this.#fail("upstream_malformed");
    if (isJsonObject(chunk["usage"])) this.#usage = chunk["usage"];
    const choice = firstChoice(chunk);
    if (choice === null) return;
    const text = choice["text"];
    const finish = choice["finish_reason"] ?? null;
    if (typeof text !== "string") return this.#fail("upstream_malformed");
    this.#madeTokens += 1;
    this.#sink.progressed();
    const isShown = text !== "" || finish !== null;
    const shown = isShown ? form.text({ text, finish, stopReason: choice["stop_reason"] }) : null;
    this.#journal.take({ ...reading, promptIds: null, shown });
    if (finish !== null) this.#hasFinish = true;
    if (shown !== null) this.#sink.wrote(shown);
  }

  /** The prompt is what it was at first, and what the first engine made counts as made. */
  #done(form: ChunkForm): void {
    if (!this.#hasFinish) return this.#fail("upstream_truncated");
    this.#isOver = true;
    const { promptTokens, shownTokens } = this.#from;
    const made = this.#usage?.["completion_tokens"];
    const outputTokens = shownTokens + (typeof made === "number" ? made : this.#madeTokens);
    if (this.#includesUsage)
      this.#sink.wrote(
        form.usage({ prompt_tokens: promptTokens, completion_tokens: outputTokens, total_tokens: promptTokens + outputTokens }),
      );
    this.#sink.wrote(DONE_EVENT);
    this.#sink.done({ promptTokens, outputTokens });
  }

  #fail(code: "upstream_malformed" | "upstream_truncated" | "upstream_error"): void {
    this.#isOver = true;
    this.#sink.unusable({ isHard: false, code });
  }
}
