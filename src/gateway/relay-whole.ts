import { copyOf, joinBytes } from "../base/bytes.ts";
import { parseWholeAnswer } from "../wire/parse-whole-answer.ts";
import { ANSWER_BYTES_MAX } from "./gateway-ports.ts";
import type { Relay, RelaySink } from "./relay.ts";

/** An answer in one piece: kept until it is complete, so that a death in its middle is retried unseen. */
export class WholeRelay implements Relay {
  readonly #sink: RelaySink;
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #isOver = false;

  constructor(sink: RelaySink) {
    this.#sink = sink;
  }

  data(lent: Uint8Array): void {
    if (this.#isOver) return;
    this.#bytes += lent.length;
    if (this.#bytes > ANSWER_BYTES_MAX) {
      this.#isOver = true;
      this.#sink.unusable({ isHard: false, code: "upstream_malformed" });
      return;
    }
    this.#parts.push(copyOf(lent));
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const body = joinBytes(this.#parts);
    const answer = parseWholeAnswer(body);
    if (answer.kind !== "answer") {
      this.#sink.unusable({ isHard: false, code: answer.kind === "error" ? "upstream_error" : "upstream_malformed" });
      return;
    }
    this.#sink.progressed();
    this.#sink.begin();
    this.#sink.wrote(body);
    this.#sink.done(answer.tokens);
  }
}
