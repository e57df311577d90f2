import { chmodSync, rmSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { assert, unreachable } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { GpuAccount } from "../../ports/gpu-account.ts";
import { onJsonLines, sendJsonLine } from "./json-lines.ts";
import {
  parseAccountMessage,
  type AccountAnswer,
  type AccountQuestion,
  type LostAnswer,
  type ObserveAnswer,
} from "./parse-account-message.ts";
import type { TermsAnswer } from "./parse-compute-message.ts";
import { serveCompute } from "./serve-compute.ts";
import { accountErrorOf } from "./process-watches.ts";
import type { SimulatedAccount } from "./simulated.ts";

export type AccountListenError =
  /** Another process serves the account on this socket. */
  | { readonly code: "ALREADY_SERVED"; readonly path: string }
  | { readonly code: "SOCKET_REFUSED"; readonly path: string; readonly reason: string };

export interface ServedAccount {
  connectionCount(): number;
  /** Called with the new count whenever a connection comes or goes. */
  onConnections(listener: (count: number) => void): void;
  close(): Promise<void>;
}

/** Serves the account on a Unix socket (0600). A socket that nobody serves any more is replaced. */
export async function serveAccountSocket(account: SimulatedAccount, path: string): Promise<Result<ServedAccount, AccountListenError>> {
  if (await isServed(path)) return err({ code: "ALREADY_SERVED", path });
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const listeners = new Set<(count: number) => void>();
  const tell = (): void => {
    for (const listener of listeners) listener(sockets.size);
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    serveConnection(account, socket);
    socket.once("close", () => {
      sockets.delete(socket);
      tell();
    });
    tell();
  });
  const refused = await new Promise<string | null>((resolve) => {
    server.once("error", (cause) => resolve(cause.message));
    server.listen({ path }, () => resolve(null));
  });
  if (refused !== null) return err({ code: "SOCKET_REFUSED", path, reason: refused });
  chmodSync(path, 0o600);
  return ok({
    connectionCount: () => sockets.size,
    onConnections: (listener) => void listeners.add(listener),
    async close() {
      listeners.clear();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

/** Questions of one connection; those of an engine before its `open` end the connection. */
function serveConnection(account: SimulatedAccount, socket: Socket): void {
  const transfers = new Map<number, AbortController>();
  const compute = serveCompute();
  let opened: ReturnType<SimulatedAccount["open"]> | null = null;

  async function answer(id: number, question: AccountQuestion): Promise<AccountAnswer | ObserveAnswer | LostAnswer | TermsAnswer> {
    switch (question.ask) {
      case "open":
        assert(opened === null, "one connection is one process");
        opened = account.open(question);
        return ok(null);
      case "hold-gpu":
        return ofEngine((own) => holdOf(own, question));
      case "hold-host":
        return ofEngine((own) => own.holdHost(question.node, question.bytes));
      case "transfer": {
        const abort = new AbortController();
        transfers.set(id, abort);
        const result = await ofEngine((own) => own.transfer(question, question.bytes, abort.signal));
        transfers.delete(id);
        return result;
      }
      case "watch-loss":
        return ofEngine((own) => untilLost(own, question.gpus, socket));
      case "watch-terms":
      case "tell-use":
        return opened === null ? NOT_OPENED : compute.answer(opened.account, question);
      case "lose-gpus":
      case "fail-application":
      case "slow-teardown":
      case "restore-gpus":
      case "list-lost":
        return answerFault(account, question);
      case "abort":
        transfers.get(question.of)?.abort();
        return ok(null);
      case "observe":
        return account.driver.observe(question.only);
      case "inventory":
        return account.driver.ensureInventory(question.nodes);
      case "partition":
        return account.driver.ensurePartition(question.partition);
      case "unpartition":
        return account.driver.removePartition(question.partition);
      default:
        return unreachable(question, "serveConnection");
    }
  }
  async function ofEngine(use: (own: GpuAccount) => ReturnType<GpuAccount["holdHost"]>): ReturnType<GpuAccount["holdHost"]> {
    return opened === null ? NOT_OPENED : use(opened.account);
  }

  onJsonLines(socket, (raw) => {
    const message = parseAccountMessage(raw);
    if (message === null || (message.question.ask === "open" && opened !== null)) return void socket.destroy();
    const send = (result: unknown): void => void (socket.destroyed || sendJsonLine(socket, { id: message.id, result }));
    // Nodes and partitions are taken as they come: what is none of these ends this peer, not everybody's account.
    answer(message.id, message.question).then(send, () => socket.destroy());
  });
  // Resets of dead engines; `close` follows.
  socket.on("error", () => socket.destroy());
  socket.once("close", () => opened?.close());
}

function holdOf(own: GpuAccount, question: Extract<AccountQuestion, { ask: "hold-gpu" }>): ReturnType<GpuAccount["holdGpu"]> {
  if (question.isGrab === true) return own.grabGpu(question, question.bytes);
  return own.holdGpu(question, question.bytes, question.isParked === true ? "parked" : "awake");
}

const NOT_OPENED = err({ code: "ACCOUNT_UNAVAILABLE", reason: "the connection was not opened by an engine" } as const);

type FaultQuestion = Extract<AccountQuestion, { ask: "lose-gpus" | "fail-application" | "slow-teardown" | "restore-gpus" | "list-lost" }>;

function answerFault(account: SimulatedAccount, question: FaultQuestion): AccountAnswer | LostAnswer {
  switch (question.ask) {
    case "lose-gpus":
      return account.loseGpus({ kind: "gpu-lost", mode: question.mode, node: question.node, gpu: question.gpu }, question.forMs);
    case "fail-application": {
      const hit = account.failApplication({ ...question, kind: "gpu-fault" });
      return hit.ok ? ok(null) : hit;
    }
    case "slow-teardown":
      return account.slowTeardown({ ...question, kind: "slow-teardown" }, question.forMs);
    case "restore-gpus":
      account.restoreGpus(question);
      return ok(null);
    case "list-lost":
      return ok(account.state().lost);
    default:
      return unreachable(question, "answerFault");
  }
}

/** The watch lives as long as the connection. */
function untilLost(own: GpuAccount, gpus: Parameters<GpuAccount["watchLoss"]>[0], socket: Socket): ReturnType<GpuAccount["holdGpu"]> {
  return new Promise((resolve) => {
    const stop = own.watchLoss(gpus, (end) => resolve(accountErrorOf(end)));
    socket.once("close", stop);
  });
}
