import { Server } from "node:net";
import { isJsonObject } from "../../base/json.ts";
import type { ListenerRole } from "./hand-over.ts";

/** Called in the very turn in which the socket comes: it accepts already, and whoever connects is its `Server`'s until ours listens. */
export type Accept<Listening> = (role: ListenerRole, server: Server) => Promise<Listening>;

/** A successor's side of the hand-over: what the process before it says, over the channel that it was started with. */
export interface Predecessor {
  /** Whether a control plane spoke with it: then one has to speak with us before we may serve. */
  readonly isLinked: boolean;
  /** Says that we are ready to serve. @returns what `accept` made of each listening socket, when all have come. */
  listeners<Listening>(roles: readonly ListenerRole[], accept: Accept<Listening>): Promise<ReadonlyMap<ListenerRole, Listening>>;
  /** Says that we accept. Resolves when name, file and record are ours: by its word, or because it is gone. */
  listening(): Promise<void>;
  /** It serves on; we end. */
  refuse(why: string): Promise<void>;
}

/** @returns null when nobody started this process to be taken over. */
export async function findPredecessor(): Promise<Predecessor | null> {
  if (process.send === undefined) return null;
  const begun = Promise.withResolvers<boolean>();
  const owned = Promise.withResolvers<void>();
  let take = (_role: unknown, server: Server): void => void server.close();
  let hasAll = false;
  process.on("message", (message: unknown, handle: unknown) => {
    if (!isJsonObject(message)) return;
    const { type, role, isLinked } = message;
    if (type === "begin") begun.resolve(isLinked === true);
    else if (type === "yours") owned.resolve();
    else if (type === "listener" && handle instanceof Server) take(role, handle);
  });
  process.once("disconnect", () => {
    // Without its sockets there is nothing to serve on; with them nobody else does.
    if (!hasAll) process.exit(1);
    owned.resolve();
  });
  const isLinked = await begun.promise;
  return {
    isLinked,
    async listeners<Listening>(roles: readonly ListenerRole[], accept: Accept<Listening>) {
      const all = roles.map((role) => ({ role, taken: Promise.withResolvers<Listening>() }));
      take = (asked, server) => {
        const one = all.find(({ role }) => role === asked);
        if (one === undefined) server.close();
        else void accept(one.role, server).then(one.taken.resolve, one.taken.reject);
      };
      say({ type: "prepared" });
      const listening = await Promise.all(all.map(async ({ role, taken }) => [role, await taken.promise] as const));
      hasAll = true;
      return new Map(listening);
    },
    listening() {
      say({ type: "listening" });
      return owned.promise;
    },
    refuse: (why) => said({ type: "refused", why }),
  };
}

// A channel that is closed is heard of by `disconnect`.
const said = (message: Readonly<Record<string, unknown>>): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
const say = (message: Readonly<Record<string, unknown>>): void => void said(message);
