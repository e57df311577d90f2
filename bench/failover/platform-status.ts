/** What the bench reads of a service's status. */
export interface SeenInstance {
  readonly name: string;
  readonly level: string;
  readonly state: string;
  readonly generation: number;
  readonly pid: number | null;
  readonly endpoint: string | null;
}

export interface SeenService {
  readonly name: string;
  readonly instances: readonly SeenInstance[];
  readonly history: readonly { readonly at: string; readonly what: string; readonly why: string }[];
}

interface RawList {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly status?: { readonly instances?: readonly SeenInstance[]; readonly history?: SeenService["history"] } | null;
  }[];
}

const REQUEST_LIMIT_MS = 1_000;

/** @returns null while the admin API does not answer. */
export async function readServices(adminPort: number): Promise<readonly SeenService[] | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/apis/inference.example.com/v1/hotstandbyconfigs`, {
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
    if (!answer.ok) return null;
    const list = (await answer.json()) as RawList;
    return (list.items ?? []).map(({ metadata, status }) => ({
      name: metadata?.name ?? "",
      instances: status?.instances ?? [],
      history: status?.history ?? [],
    }));
  } catch {
    return null;
  }
}

/** Three instances (two hot, one warm), every one Ready with a process. */
export const isWhole = (service: SeenService): boolean =>
  service.instances.length === 3 && service.instances.every(({ state, pid }) => state === "Ready" && pid !== null);
