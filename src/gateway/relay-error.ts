import { copyOf, joinBytes } from "../base/bytes.ts";
import { parseEngineError } from "../wire/parse-engine-error.ts";
import type { AttemptFailure } from "../routing/next-attempt.ts";
import type { Relay, RelaySink } from "./relay.ts";

const ERROR_BYTES_MAX = 65_536;

/** Statuses by which an engine says that the request is wrong, whoever serves it. */
const REFUSALS: ReadonlySet<number> = new Set([400, 404, 413, 422]);

/** An answer that is no 200. The engine's text never reaches the client. */
export class ErrorRelay implements Relay {
  readonly #sink: RelaySink;
  readonly #status: number;
  readonly #contextLength: number;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(sink: RelaySink, status: number, contextLength: number) {
    this.#sink = sink;
    this.#status = status;
    this.#contextLength = contextLength;
  }

  data(lent: Uint8Array): void {
    if (this.#bytes >= ERROR_BYTES_MAX) return;
    this.#parts.push(copyOf(lent));
    this.#bytes += lent.length;
  }

  end(): void {
    if (REFUSALS.has(this.#status)) {
      this.#sink.refused(parseEngineError(this.#status, joinBytes(this.#parts).toString("utf8"), this.#contextLength));
      return;
    }
    this.#sink.unusable(failureOf(this.#status));
  }
}

const failureOf = (status: number): AttemptFailure => ({ isHard: false, code: status === 429 ? "upstream_busy" : "upstream_error" });
