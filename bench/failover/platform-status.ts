/** What the bench reads of a service's status. */
export interface SeenInstance {
  readonly name: string;
  readonly level: string;
  readonly state: string;
  readonly generation: number;
  readonly pid: number | null;
  readonly endpoint: string | null;
  readonly members: readonly { readonly node: string; readonly gpu: number }[];
}

export interface SeenService {
  readonly name: string;
  readonly phase: string;
  /** Where traffic belongs. */
  readonly level: string;
  readonly epoch: number;
  /** Failovers that were counted in the window. */
  readonly failoversInWindow: number;
  readonly instances: readonly SeenInstance[];
  readonly history: readonly { readonly at: string; readonly what: string; readonly why: string }[];
  /** What its manifest asks for. */
  readonly wants: { readonly hot: number; readonly warm: number; readonly warmState: "Ready" | "Asleep" };
}

interface RawService {
  readonly metadata?: { readonly name?: string };
  readonly spec?: {
    readonly hotStandby?: { readonly gpuCount?: number };
    readonly warmStandby?: { readonly gpuCount?: number; readonly rest?: string };
  };
  readonly status?: {
    readonly phase?: string;
    readonly level?: string;
    readonly epoch?: number;
    readonly failovers?: { readonly inWindow?: number };
    readonly instances?: readonly SeenInstance[];
    readonly history?: SeenService["history"];
  } | null;
}

const REQUEST_LIMIT_MS = 1_000;
export const SERVICES_PATH = "/apis/inference.example.com/v1/hotstandbyconfigs";

/** @returns null while the admin API does not answer. */
export async function readServices(adminPort: number): Promise<readonly SeenService[] | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${adminPort}${SERVICES_PATH}`, { signal: AbortSignal.timeout(REQUEST_LIMIT_MS) });
    if (!answer.ok) return null;
    const list = (await answer.json()) as { readonly items?: readonly RawService[] };
    return (list.items ?? []).map(seeService);
  } catch {
    return null;
  }
}

export function seeService({ metadata, spec, status }: RawService): SeenService {
  return {
    name: metadata?.name ?? "",
    phase: status?.phase ?? "",
    level: status?.level ?? "",
    epoch: status?.epoch ?? 0,
    failoversInWindow: status?.failovers?.inWindow ?? 0,
    instances: status?.instances ?? [],
    history: status?.history ?? [],
    wants: {
      hot: spec?.hotStandby?.gpuCount ?? 0,
      warm: spec?.warmStandby?.gpuCount ?? 0,
      warmState: spec?.warmStandby?.rest === "asleep" ? "Asleep" : "Ready",
    },
  };
}

const inState = (service: SeenService, level: string, state: string): number =>
  service.instances.filter((instance) => instance.level === level && instance.state === state && instance.pid !== null).length;

/** As many hot instances as its manifest asks for, every one Ready with a process. */
export const isHotWhole = (service: SeenService): boolean =>
  service.wants.hot > 0 && inState(service, "hot", "Ready") === service.wants.hot;

/** At rest: traffic on the hot level, every instance that the manifest asks for as it asks for it, and no other. */
export const isWhole = (service: SeenService): boolean =>
  service.level === "hot" &&
  isHotWhole(service) &&
  inState(service, "warm", service.wants.warmState) === service.wants.warm &&
  service.instances.length === service.wants.hot + service.wants.warm;
