import type { InstanceName, MonotonicMs, ServiceName, Uid } from "../base/ids.ts";
import type { EngineKind } from "../api/hot-standby-config.ts";
import type { ActivationView, ReportView } from "../failover/instance-look.ts";
import type { InstanceMemo } from "../failover/restart-memo.ts";
import type { EngineExit } from "../ports/engine-launcher.ts";
import type { GpuWatch } from "./gpu-watch.ts";
import type { IsolationWatch } from "./isolation-watch.ts";
import type { InstanceTasks } from "./instance-tasks.ts";
import type { PromiseWatch } from "./promise-watch.ts";
import type { RecordShelf } from "./record-shelf.ts";
import type { StormWatch } from "./storm-watch.ts";

/** Kept between two looks only: lost with the process, and then found again by looking. */
export interface StandbyMemory {
  readonly exits: Map<InstanceName, EngineExit>;
  readonly reports: Map<InstanceName, ReportView>;
  readonly activations: Map<InstanceName, ActivationView>;
  readonly memos: Map<InstanceName, InstanceMemo>;
  /** Services whose config was seen: what is needed when it is gone. */
  readonly services: Map<ServiceName, { readonly uid: Uid; readonly engine: EngineKind }>;
  /** Since when services whose config is gone wait for the gateways. */
  readonly removals: Map<ServiceName, MonotonicMs>;
  readonly gpus: GpuWatch;
  readonly isolation: IsolationWatch;
  readonly tasks: InstanceTasks;
  readonly records: RecordShelf;
  readonly promises: PromiseWatch;
  readonly storms: StormWatch;
}
