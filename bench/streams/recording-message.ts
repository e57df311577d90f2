/** What a recording engine does with a request: streams tokens, is silent for ever, or answers 500. */
export type EngineMood = "stream" | "silent" | "fail";

export type EngineOrder = { readonly type: "mood"; readonly mood: EngineMood };

/** Times are of the machine's monotonic clock. `id` is the client's own request id. */
export type EngineReport =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "asked"; readonly id: string; readonly atMs: number }
  /** The connection closed, or the answer was complete. */
  | { readonly type: "over"; readonly id: string; readonly atMs: number; readonly isWhole: boolean };
