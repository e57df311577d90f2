import type { EngineKind } from "../api/hot-standby-config.ts";
import { continueBody } from "./continue-request.ts";
import { LLAMA_CPP_OWN } from "./own-llama-cpp.ts";
import { endsPrinted, SGLANG_OWN } from "./own-sglang.ts";
import type { ContinueAsk, EngineAsk, OwnSurface } from "./own-surface.ts";

/** How an engine goes on from ids. */
export interface IdEngine {
  /**
   * Characters at the end of all that was said that it does not tell before the answer is over, because of a stop string of at most
   * `longest` characters: neither more nor fewer, so that it can be told which token's text was shown. null = it holds back as it likes.
   */
  readonly heldBack: ((longest: number, areStopsShown: boolean) => number) | null;
  /**
   * Whether all that the ids of a chunk say was told with it, by its text. The last of them may be half a character, whose text comes later;
   * to an engine that begins behind it that text is lost. null = a token is told when its text is whole: so the one id of a chunk with text
   * is, and of several the last one may not be.
   */
  readonly endsWhole: ((text: string) => boolean) | null;
  /** How it is asked for ids; null = in the OpenAI form, by `return_token_ids`. */
  readonly own: OwnSurface | null;
  /** Tokens of a completion whose request has no field for a limit; null = as many as fit. */
  readonly completionTokens: number | null;
}

const VLLM: IdEngine = {
  heldBack: (longest, areStopsShown) => (areStopsShown ? 0 : longest - 1),
  endsWhole: null,
  own: null,
  completionTokens: 16,
};
const ID_ENGINES: Readonly<Record<EngineKind, IdEngine>> = {
  simulated: VLLM,
  vllm: VLLM,
  sglang: { heldBack: null, endsWhole: endsPrinted, own: SGLANG_OWN, completionTokens: 16 },
  "llama.cpp": { heldBack: null, endsWhole: null, own: LLAMA_CPP_OWN, completionTokens: null },
};

/** How streams of an engine go on from ids. */
export const idEngineOf = (engine: EngineKind): IdEngine => ID_ENGINES[engine];

/** What an engine is asked so that it goes on. */
export const continueAskOf = ({ own }: IdEngine, ask: ContinueAsk): EngineAsk =>
  own === null ? { target: "/v1/completions", body: continueBody(ask) } : own.next(ask);
