import type { FailoverRecord } from "../../src/api/failover-record.ts";
import { parseFailoverRecord } from "../../src/api/parse-failover-record.ts";
import { parseServiceStatus } from "../../src/api/parse-service-status.ts";
import type { ServiceStatus } from "../../src/api/service-status.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { SERVICES_PATH } from "../failover/platform-status.ts";

const RECORDS_PATH = "/apis/inference.example.com/v1/failoverrecords";
const REQUEST_LIMIT_MS = 2_000;

interface Item {
  readonly metadata?: { readonly name?: string };
  readonly spec?: JsonObject;
  readonly status?: JsonObject | null;
}

/** By the service's name; null while the admin API does not answer. */
export async function readStatuses(adminPort: number): Promise<ReadonlyMap<string, ServiceStatus> | null> {
  const items = await readItems(adminPort, SERVICES_PATH);
  if (items === null) return null;
  const statuses = new Map<string, ServiceStatus>();
  for (const { metadata, status } of items) {
    const parsed = parseServiceStatus(status ?? null);
    if (parsed.ok) statuses.set(metadata?.name ?? "", parsed.value);
  }
  return statuses;
}

/** None while the admin API does not answer. */
export async function readRecords(adminPort: number): Promise<readonly FailoverRecord[]> {
  const items = (await readItems(adminPort, RECORDS_PATH)) ?? [];
  return items.flatMap(({ metadata, spec, status }) => {
    const parsed = parseFailoverRecord({ name: metadata?.name ?? "", spec: spec ?? {}, status: status ?? null });
    return parsed.ok ? [parsed.value] : [];
  });
}

async function readItems(adminPort: number, path: string): Promise<readonly Item[] | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`, { signal: AbortSignal.timeout(REQUEST_LIMIT_MS) });
    if (!answer.ok) return null;
    const list = (await answer.json()) as { readonly items?: readonly Item[] };
    return list.items ?? [];
  } catch {
    return null;
  }
}
