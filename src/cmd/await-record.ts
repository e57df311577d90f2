import { setTimeout as pause } from "node:timers/promises";
import type { Kind, Resource } from "../api/resource.ts";
import type { Explanation } from "../base/result.ts";
import { pathOf } from "./admin-path.ts";
import { explainClientError, type AdminClient } from "./client.ts";
import { numberAt, objectsAt, textAt } from "./json-at.ts";
import type { AdminWatchEvent } from "./parse-admin-answer.ts";

interface Awaited {
  readonly record: string;
  readonly service: string;
  readonly withinMs: number;
  readonly say: (line: string) => void;
}

/** `resource` is the record as last seen; null = never. */
export type AwaitedRecord = { readonly resource: Resource | null } & (
  | { readonly outcome: "Completed" | "Refused" | "Failed" | "gone" | "waited" }
  | { readonly outcome: "unreachable"; readonly error: Explanation }
);

const TRY_AGAIN_AFTER_MS = 500;
const ENDS = ["Completed", "Refused", "Failed"] as const;

/** Follows a request and its service, saying each change once, until the request has an end. Lasts over restarts of the control plane. */
export async function awaitRecord(client: AdminClient, awaited: Awaited): Promise<AwaitedRecord> {
  const stop = new AbortController();
  const deadline = setTimeout(() => stop.abort(), awaited.withinMs);
  const tellService = createProgress(awaited.say);
  let last: Resource | null = null;
  let phase = "";
  let isGone = false;
  let error: Explanation | null = null;
  const onRecord = (event: AdminWatchEvent): void => {
    if (event.type === "DELETED") {
      isGone = true;
      stop.abort();
    }
    if (event.type !== "ADDED" && event.type !== "MODIFIED") return;
    last = event.resource;
    const now = textAt(last.status, "phase") ?? "Requested";
    if (now !== phase) awaited.say(`  ${awaited.record}: ${now}`);
    phase = now;
    if (endOf(last) !== null) stop.abort();
  };
  const onService = (event: AdminWatchEvent): void => {
    if (event.type === "ADDED" || event.type === "MODIFIED") tellService(event.resource);
  };
  const follow = async (kind: Kind, name: string, onEvent: (event: AdminWatchEvent) => void): Promise<void> => {
    const path = `${pathOf(kind, null)}?watch=true&fieldSelector=metadata.name=${name}`;
    while (!stop.signal.aborted) {
      const ended = await client.watch(path, onEvent, stop.signal);
      if (!ended.ok && ended.error.code === "REFUSED") {
        error = explainClientError(ended.error);
        stop.abort();
      }
      if (!stop.signal.aborted) await pause(TRY_AGAIN_AFTER_MS, null, { signal: stop.signal }).catch(ignoreAbort);
    }
  };
  await Promise.all([follow("FailoverRecord", awaited.record, onRecord), follow("HotStandbyConfig", awaited.service, onService)]);
  clearTimeout(deadline);
  return outcomeOf(last, { isGone, error });
}

function outcomeOf(last: Resource | null, seen: { readonly isGone: boolean; readonly error: Explanation | null }): AwaitedRecord {
  const end = last === null ? null : endOf(last);
  if (end !== null) return { outcome: end, resource: last };
  if (seen.error !== null) return { outcome: "unreachable", error: seen.error, resource: last };
  return { outcome: seen.isGone ? "gone" : "waited", resource: last };
}

const endOf = (record: Resource): (typeof ENDS)[number] | null => ENDS.find((end) => end === textAt(record.status, "phase")) ?? null;

function ignoreAbort(cause: unknown): void {
  if (!(cause instanceof Error && cause.name === "AbortError")) throw cause;
}

/** Says what changed of a service since the last look: where it is served from, and the states of its instances. */
export function createProgress(say: (line: string) => void): (service: Resource) => void {
  let place: string | null = null;
  let states: ReadonlyMap<string, string> = new Map();
  return ({ name, status }) => {
    const nowPlace = `${textAt(status, "phase") ?? "-"}, belongs to ${textAt(status, "level") ?? "-"}, epoch ${numberAt(status, "epoch") ?? 0}`;
    if (nowPlace !== place) say(`  ${name}: ${nowPlace}`);
    const now = new Map(
      objectsAt(status, "instances").map((instance) => [textAt(instance, "name") ?? "", textAt(instance, "state") ?? ""]),
    );
    // At the first look the instances are where they were: no progress.
    if (place !== null) {
      for (const [instance, state] of now) {
        if (states.get(instance) !== state) say(`  ${instance}: ${states.has(instance) ? `${states.get(instance)} -> ` : ""}${state}`);
      }
    }
    place = nowPlace;
    states = now;
  };
}
