import { Server } from "node:net";
import { isJsonObject } from "../../base/json.ts";
import type { ListenerRole } from "./hand-over.ts";

/** A successor's side of the hand-over: what the process before it says, over the channel that it was started with. */
export interface Predecessor {
  /** Whether a control plane spoke with it: then one has to speak with us before we may serve. */
  readonly isLinked: boolean;
  /** Says that we are ready to serve, and waits for the listening sockets. */
  listeners(roles: readonly ListenerRole[]): Promise<ReadonlyMap<ListenerRole, Server>>;
  /** Says that we accept. Resolves when name, file and record are ours: by its word, or because it is gone. */
  listening(): Promise<void>;
  /** It serves on; we end. */
  refuse(why: string): Promise<void>;
}

/** @returns null when nobody started this process to be taken over. */
export async function findPredecessor(): Promise<Predecessor | null> {
  if (process.send === undefined) return null;
  const servers = new Map<string, Server>();
  const begun = Promise.withResolvers<boolean>();
  const owned = Promise.withResolvers<void>();
  let look = (): void => undefined;
  let isAccepting = false;
  process.on("message", (message: unknown, handle: unknown) => {
    if (!isJsonObject(message)) return;
    if (message["type"] === "begin") begun.resolve(message["isLinked"] === true);
    if (message["type"] === "yours") owned.resolve();
    const { type, role } = message;
    if (type !== "listener" || typeof role !== "string" || !(handle instanceof Server)) return;
    servers.set(role, handle);
    look();
  });
  process.once("disconnect", () => {
    // Without its sockets there is nothing to serve on; with them nobody else does.
    if (!isAccepting) process.exit(1);
    owned.resolve();
  });
  const isLinked = await begun.promise;
  return {
    isLinked,
    listeners(roles) {
      const all = new Promise<ReadonlyMap<ListenerRole, Server>>((resolve) => {
        look = () => {
          const found = roles.flatMap((role) => {
            const server = servers.get(role);
            return server === undefined ? [] : [[role, server] as const];
          });
          if (found.length === roles.length) resolve(new Map(found));
        };
      });
      say({ type: "prepared" });
      return all;
    },
    listening() {
      isAccepting = true;
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
