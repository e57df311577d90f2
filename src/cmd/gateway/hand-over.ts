import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { NamedLink } from "../../adapters/gateway-link/named-link.ts";
import type { HandedMemory } from "../../adapters/gateway-memory/handed-memory.ts";
import type { NodeListener } from "../../adapters/http-front/node-http.ts";
import { recordSuccessor } from "../../adapters/process/record-successor.ts";
import { MARK_NAME } from "../../adapters/process/supervise-process.ts";
import { gatewayId, type GatewayId } from "../../base/ids.ts";
import { isJsonObject } from "../../base/json.ts";
import { err, ok, type Explanation, type Result } from "../../base/result.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Random } from "../../ports/random.ts";

/** In a successor's environment: the pid of the process that started it and gives its place to it. */
export const TAKEN_FROM = "TIDEGATE_TAKEN_FROM";

export type ListenerRole = "tenants" | "metrics";

export interface HandOverParts {
  readonly id: GatewayId;
  readonly dataDir: string;
  /** Starts the successor, but for the flag that says what it is. */
  readonly command: readonly string[];
  readonly listeners: ReadonlyMap<ListenerRole, NodeListener>;
  readonly link: NamedLink;
  readonly memory: HandedMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
  /** The way to ask for take-overs leads to the successor from now on; the other way round after a failure. */
  readonly closeDesk: () => void;
  readonly openDesk: () => Promise<void>;
}

const PREPARED_WITHIN_MS = 20_000;
const LISTENING_WITHIN_MS = 5_000;
const NONCE_BYTES = 12;

/**
 * Starts a successor and hands the listening sockets to it when it is ready to serve. Both accept for a moment; then this process must
 * leave. The accept queue belongs to the socket, not to a process: nothing that waits in it is reset.
 * @returns the successor's pid. @errors it was not ready in time, or refused: this process serves on as if nothing had happened.
 */
export async function handOver(parts: HandOverParts): Promise<Result<number, Explanation>> {
  const nonce = parts.random.token(NONCE_BYTES);
  const successor = startSuccessor(parts, nonce);
  parts.log.record({ level: "info", event: "gateway.successor-started", fields: { gateway: parts.id, pid: successor.pid } });
  successor.send({ type: "begin", isLinked: parts.link.isConnected });
  const unprepared = await successor.unheard("prepared", PREPARED_WITHIN_MS);
  if (unprepared !== null) return giveUp(parts, successor, unprepared);
  const undo = await letGo(parts, { pid: successor.pid, nonce });
  for (const [role, listener] of parts.listeners) successor.send({ type: "listener", role }, listener);
  const deaf = await successor.unheard("listening", LISTENING_WITHIN_MS);
  if (deaf !== null) {
    successor.kill();
    await undo();
    return giveUp(parts, successor, deaf);
  }
  parts.memory.give();
  successor.send({ type: "yours" });
  successor.letGo();
  parts.log.record({ level: "info", event: "gateway.handed-over", fields: { gateway: parts.id, pid: successor.pid } });
  return ok(successor.pid);
}

/** All that only one of the two may have: the file, the name, the record, the desk. @returns what takes it back. */
async function letGo(parts: HandOverParts, to: { readonly pid: number; readonly nonce: string }): Promise<() => Promise<void>> {
  parts.memory.hold();
  parts.closeDesk();
  parts.link.rename(gatewayId(`${parts.id}.left-${process.pid}`));
  const recordPath = join(parts.dataDir, "run", `${parts.id}.json`);
  const unrecord = await recordSuccessor(recordPath, { ownPid: process.pid, ...to });
  return async () => {
    await unrecord?.();
    parts.link.rename(parts.id);
    parts.memory.own();
    await parts.openDesk();
  };
}

function giveUp(parts: HandOverParts, successor: Successor, why: string): Result<never, Explanation> {
  successor.kill();
  parts.log.record({ level: "error", event: "gateway.successor-refused", fields: { gateway: parts.id, pid: successor.pid, why } });
  return err({
    what: `Gateway ${parts.id} was not taken over; process ${process.pid} serves on.`,
    why,
    next: "Its log has the rest; mend that, then ask again. Nothing was cut.",
  });
}

interface Successor {
  readonly pid: number;
  send(message: Readonly<Record<string, unknown>>, listener?: NodeListener): void;
  /** @returns null when it said so in time, else why not. */
  unheard(type: string, withinMs: number): Promise<string | null>;
  kill(): void;
  /** It no longer needs us. */
  letGo(): void;
}

function startSuccessor({ command, clock }: HandOverParts, nonce: string): Successor {
  const [program = process.execPath, ...args] = command;
  const owner = process.env[MARK_NAME]?.split("/").slice(0, -1).join("/");
  const mark = owner === undefined ? {} : { [MARK_NAME]: `${owner}/${nonce}` };
  const child = spawn(program, [...args, "--take-over"], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    env: { ...process.env, ...mark, [TAKEN_FROM]: `${process.pid}` },
  });
  const words = wordsOf(child);
  return {
    pid: child.pid ?? 0,
    // One that is gone hears nothing; its end is what `unheard` tells.
    send: (message, listener) => void child.send(message, listener?.server, () => undefined),
    unheard: (type, withinMs) =>
      new Promise((resolve) => {
        const timer = clock.after(withinMs, () => resolve(`It did not say ${type} within ${withinMs / 1_000} s.`));
        void words.next(type).then((why) => {
          timer.cancel();
          resolve(why);
        });
      }),
    kill: () => void child.kill("SIGKILL"),
    letGo() {
      if (child.connected) child.disconnect();
      child.unref();
    },
  };
}

/** What a child says, kept until it is asked for; its end answers every question. */
function wordsOf(child: ChildProcess): { next(type: string): Promise<string | null> } {
  const heard = new Set<string>();
  let ended: string | null = null;
  let look = (): void => undefined;
  child.on("message", (message) => {
    if (!isJsonObject(message)) return;
    const { type, why } = message;
    if (type === "refused" && typeof why === "string") ended ??= why;
    else if (typeof type === "string") heard.add(type);
    look();
  });
  const end = (why: string): void => {
    ended ??= why;
    look();
  };
  child.once("error", (cause) => end(`It could not be started: ${cause.message}.`));
  child.once("exit", (code, signal) => {
    const tell = (): void => end(`It ended with ${signal ?? `exit code ${code ?? "unknown"}`}.`);
    // Its end may be heard of before its last words.
    if (child.connected) child.once("disconnect", tell);
    else tell();
  });
  return {
    next: (type) =>
      new Promise((resolve) => {
        look = () => {
          if (heard.has(type)) resolve(null);
          else if (ended !== null) resolve(ended);
        };
        look();
      }),
  };
}
