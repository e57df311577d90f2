import type { AttemptFailure } from "../routing/next-attempt.ts";
import type { OpenAiError } from "../wire/openai-error.ts";

export interface Tokens {
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/** Turns an engine's answer into the client's. */
export interface Relay {
  data(lent: Uint8Array): void;
  /** The answer is complete by HTTP framing. */
  end(): void;
}

/** What a relay tells its attempt. After `done`, `refused` or `unusable` it is not called any more. */
export interface RelaySink {
  /** The answer begins: called once, before the first byte is written. */
  begin(): void;
  /** The engine has made a token; of an answer in one piece, all of them. */
  progressed(): void;
  /** Bytes for the client. */
  wrote(given: Uint8Array): void;
  done(tokens: Tokens): void;
  /** The engine says that the request itself is wrong: nobody else would answer otherwise. */
  refused(error: OpenAiError): void;
  /** Its bytes are no good answer. */
  unusable(failure: AttemptFailure): void;
}
