import { generation, instanceName, monotonicMs, nodeName, partitionName, serviceName, uid, wallMs } from "../base/ids.ts";
import type { InstanceState, InstanceStatus } from "../api/service-status.ts";
import type { CheckPurpose, InstanceLook, ServiceLook, TaskView } from "./instance-look.ts";
import { NEW_MEMO } from "./restart-memo.ts";

// For tests of decisions about one instance.

export const NAME = instanceName("gold-hot-1");
const URL = "http://127.0.0.1:40001";
export const member = (gpu: number) => ({ node: nodeName("gpu-a"), gpu, partition: partitionName(`p-${gpu}`) });

export const recorded = (state: InstanceState, more: Partial<InstanceStatus> = {}): InstanceStatus => ({
  name: NAME,
  uid: uid("u1"),
  generation: generation(3),
  level: "hot",
  state,
  weight: 80,
  members: [member(0)],
  endpoint: URL,
  pid: 7,
  serves: [serviceName("gold")],
  fingerprint: "f1",
  failedStarts: 0,
  failedWakes: 0,
  violations: null,
  message: "",
  ...more,
});
export const running = { uid: uid("u1"), generation: generation(3), endpoint: URL, pid: 7 };
export const g3 = { generation: generation(3) };
export const judged = (verdict: "alive" | "asleep" | "dead" | "unsure", purpose: CheckPurpose): TaskView => ({
  kind: "checked",
  ...g3,
  purpose,
  verdict,
  detail: "seen",
  atMs: monotonicMs(99_900),
});

export const look = (more: Partial<InstanceLook>): InstanceLook => ({
  desired: { name: NAME, level: "hot", weight: 80, memberCount: 1, rest: "awake" },
  recorded: null,
  placement: { kind: "bound", members: [member(0)], leaving: null },
  running: null,
  task: null,
  exit: null,
  report: null,
  activation: null,
  violation: null,
  wish: "wake",
  isUrgent: false,
  memo: { ...NEW_MEMO, heardAtMs: monotonicMs(99_000), readySinceMs: monotonicMs(0) },
  ...more,
});
export const service = (more: Partial<ServiceLook> = {}): ServiceLook => ({
  service: serviceName("gold"),
  nowMs: monotonicMs(100_000),
  wallMs: wallMs(1_800_000_000_000),
  isSpecNew: false,
  fingerprint: "f1",
  expectedAnswer: "right",
  rolls: null,
  isAcknowledged: true,
  lostGpus: new Set(),
  slowGpus: new Set(),
  quarantinedGpus: new Set(),
  wakeWithinMs: 3_000,
  isFull: false,
  freshUid: (name) => uid(`${name}.new`),
  ...more,
});

export const START = { type: "start", instance: NAME, uid: uid("u1"), generation: generation(4), members: [member(0)], isUrgent: false };
export const RESUME = { ...START, ...g3 };
export const FENCE = { type: "fence", instance: NAME };
export const JUDGE = { type: "check", instance: NAME, ...g3, endpoint: URL, purpose: "judgement" };
export const HEARTBEAT = { ...JUDGE, purpose: "heartbeat" };
export const REST_CHECK = { ...JUDGE, purpose: "rest" };
export const WAKE = { type: "wake", instance: NAME, ...g3, endpoint: URL, withinMs: 3_000, isUrgent: false };
export const SLEEP = { type: "sleep", instance: NAME, ...g3, endpoint: URL };
export const DRAIN = { type: "drain", instance: NAME, endpoint: URL };

export interface Case {
  readonly name: string;
  readonly look: Partial<InstanceLook>;
  readonly service?: Partial<ServiceLook>;
  /** `State/generation`, or null = forgotten. */
  readonly expected: string | null;
  readonly actions: readonly object[];
}
