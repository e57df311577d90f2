import type { Epoch, Generation, InstanceName, NodeName, ServiceName, TenantId, Uid } from "../base/ids.ts";
import type { DegradedStep, EngineKind, Level, Limits, Overflow, Tier } from "./hot-standby-config.ts";

/** Where an engine or a gateway listens. Loopback by default; never taken from a request. */
export interface EndpointAddress {
  readonly host: string;
  readonly port: number;
}

/** What a rung needs before it can serve. The gateway performs `wake`; `controller` waits for the control plane. */
export type Activation = { readonly kind: "none" } | { readonly kind: "wake" } | { readonly kind: "controller" };

/** One instance on a rung. No request goes to it unless `isReady`, at this generation. */
export interface RungEndpoint {
  readonly instance: InstanceName;
  readonly uid: Uid;
  readonly generation: Generation;
  readonly address: EndpointAddress;
  readonly engine: EngineKind;
  /** The model's name at the engine, when it differs from the service's; null = the same. */
  readonly upstreamModel: string | null;
  readonly isReady: boolean;
  /** Loaded and asleep: may be woken where the rung's activation is `wake`, and serves once its known answer is right. */
  readonly isAsleep: boolean;
  /** The control plane wakes it. A gateway that began the same wake goes on with it, and trusts its own proof. */
  readonly isWaking: boolean;
  /** Relative; 0 = takes only what spills over. */
  readonly weight: number;
  /** Sequences that the engine decodes together; in flight above it queue inside the engine. */
  readonly maxBatch: number;
  readonly node: NodeName | null;
  readonly zone: string | null;
  /** Equal fingerprints give equal tokens: model, revision, quantisation, template, engine version. */
  readonly fingerprint: string;
  /** false for an attached engine whose metrics show no progress counter. */
  readonly hasProgress: boolean;
  /** false for a server of no kind that we know: a strict one answers 400 to whoever asks it for token ids. */
  readonly namesIds: boolean;
}

export interface Rung {
  readonly level: Level;
  readonly activation: Activation;
  readonly endpoints: readonly RungEndpoint[];
}

/** What a gateway may do on its own while no controller answers. */
export interface Grants {
  readonly descent: "automatic" | "held";
  readonly movesLeft: number;
}

/**
 * The whole ladder of one service. Derived from config and status, never stored by the control plane.
 * Order is (uid, epoch, revision): a new uid always wins, an older (epoch, revision) is refused.
 */
export interface RouteTable {
  readonly uid: Uid;
  readonly epoch: Epoch;
  readonly revision: number;
  readonly service: ServiceName;
  readonly tenant: TenantId;
  readonly tier: Tier;
  /** Names that clients may use: the model's, and its adapters'. */
  readonly models: readonly string[];
  readonly contextLength: number;
  readonly rungs: readonly Rung[];
  /**
   * The rung that traffic belongs to: it is tried first, then the others from the top. Below hot while the service is down its ladder
   * and what came back above has not soaked yet; such rungs take what spills over.
   */
  readonly serveFrom: Level;
  /**
   * 0..100: the share of new requests that tries hot before `serveFrom`, while a failback returns traffic in steps. A preference:
   * who is Ready on either rung takes everything when the other is lost or full. 0 = none; says nothing where `serveFrom` is hot.
   */
  readonly returnPercent: number;
  /** What a woken engine must answer before it serves; null = not recorded yet, so nothing may be woken by a gateway. */
  readonly knownAnswer: string | null;
  /** Larger is woken first inside a tier. */
  readonly priority: number;
  readonly grants: Grants;
  readonly degraded: readonly DegradedStep[];
  readonly overflow: Overflow;
  readonly limits: Limits;
  readonly mirrorPercent: number;
  readonly rtoTargetMs: number;
}
