import type { Generation, ServiceName } from "../base/ids.ts";
import type { EngineKind } from "./hot-standby-config.ts";

/** What the last probes found at an AttachedEngine. Written only by the attach-controller. */
export interface AttachedStatus {
  /** In the words of instances: Pending = never answered yet, Failed = answers no longer. */
  readonly state: "Pending" | "Ready" | "Failed";
  /** Grows by one each time the engine is found answering after it was not. */
  readonly generation: Generation;
  /** The service it is an equal hot instance of; null while unknown, or while a manifest names its model. */
  readonly service: ServiceName | null;
  /** Names it serves, the base model first; empty while unknown. */
  readonly models: readonly string[];
  readonly model: string | null;
  /** Whose metrics it speaks; null = an OpenAI server of another kind. */
  readonly engine: EngineKind | null;
  readonly contextLength: number | null;
  /** Its metrics show a progress counter: a hang behind a healthy answer can be seen. */
  readonly hasProgress: boolean;
  /** What tells whether another engine makes the same tokens; null = not asked yet. */
  readonly evidence: AttachedEvidence | null;
  readonly message: string;
}

/** What an attached engine said of itself, and answered, in one generation. */
export type AttachedEvidence =
  | {
      readonly kind: "known";
      readonly generation: Generation;
      /** Of the engine's program. */
      readonly version: string;
      /** Where its weights come from. */
      readonly root: string;
      /** What else it names that decides tokens: quantisation, adapters and their weights. */
      readonly settings: string;
      /** To one greedy question: token ids where it names them, else text. */
      readonly answer: string;
    }
  | { readonly kind: "unknown"; readonly generation: Generation; readonly why: string };
