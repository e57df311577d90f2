import { setTimeout as pause } from "node:timers/promises";
import type { Kind } from "../api/resource.ts";
import { pathOf } from "./admin-path.ts";
import type { AdminClient, ClientError } from "./client.ts";
import type { AdminWatchEvent } from "./parse-admin-answer.ts";

const TRY_AGAIN_AFTER_MS = 500;

interface Follower {
  readonly take: (event: AdminWatchEvent) => void;
  /** For people: the control plane went away, and is back. */
  readonly say: (text: string) => void;
}

/** Ends with Ctrl-C, and with a closed pipe, as after `| head`. */
export function stopOnEnd(): AbortController {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  process.stdout.on("error", () => stop.abort());
  return stop;
}

/** Keeps one kind's watch open over restarts of the control plane. null = ended by the user. */
export async function followKind(kind: Kind, client: AdminClient, follower: Follower, stop: AbortController): Promise<ClientError | null> {
  let wasConnected = false;
  while (!stop.signal.aborted) {
    let isConnected = false;
    const ended = await client.watch(
      `${pathOf(kind, null)}?watch=true`,
      (event) => {
        if (!isConnected && wasConnected) follower.say("The control plane is back.\n");
        isConnected = true;
        wasConnected = true;
        follower.take(event);
      },
      stop.signal,
    );
    if (stop.signal.aborted) return null;
    if (!ended.ok && (!wasConnected || ended.error.code === "REFUSED")) {
      stop.abort();
      return ended.error;
    }
    if (isConnected) follower.say("The control plane went away; trying again until it is back. What runs goes on serving.\n");
    await pause(TRY_AGAIN_AFTER_MS, null, { signal: stop.signal }).catch(ignoreAbort);
  }
  return null;
}

function ignoreAbort(cause: unknown): void {
  if (!(cause instanceof Error && cause.name === "AbortError")) throw cause;
}
