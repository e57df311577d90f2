import { chmod, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isJsonObject } from "../../base/json.ts";
import { err, ok, type Explanation, type Result } from "../../base/result.ts";

/** Where a gateway is asked to give its place to a successor: in the state directory, for its owner alone. */
export const deskPath = (dataDir: string, id: string): string => join(dataDir, `${id}.sock`);

type Outcome = Result<number, Explanation>;

/** Any connection asks for a take-over; the answer is one line. */
export class TakeOverDesk {
  readonly #path: string;
  readonly #takeOver: () => Promise<Outcome>;
  #server: Server | null = null;

  constructor(path: string, takeOver: () => Promise<Outcome>) {
    this.#path = path;
    this.#takeOver = takeOver;
  }

  /** What a dead process left at the path is replaced. @returns why it cannot be opened; null = it is open. */
  async open(): Promise<string | null> {
    await rm(this.#path, { force: true });
    const server = createServer((socket) => void this.#answer(socket));
    this.#server = server;
    const failure = await new Promise<string | null>((resolve) => {
      server.once("error", (cause) => resolve(cause.message));
      server.listen(this.#path, () => resolve(null));
    });
    if (failure === null) await chmod(this.#path, 0o600);
    return failure;
  }

  /** Takes no further question; those that were asked are still answered. */
  close(): void {
    // The path is free at once.
    this.#server?.close();
    this.#server = null;
  }

  async #answer(socket: Socket): Promise<void> {
    socket.on("error", () => socket.destroy());
    const outcome = await this.#takeOver();
    socket.end(`${JSON.stringify(outcome.ok ? { pid: outcome.value } : { error: outcome.error })}\n`);
  }
}

/** Asks the gateway that serves to give its place to a successor. @returns the successor's pid. */
export async function askForTakeOver(dataDir: string, id: string): Promise<Outcome> {
  const path = deskPath(dataDir, id);
  const socket = connect(path);
  try {
    for await (const line of createInterface({ input: socket })) return parseOutcome(line);
    return refuse(id, "It ended before it answered.", "Read its log, then look who serves: npx tidegate doctor");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return refuse(id, `Nobody answers at ${path}: ${reason}.`, "Check --data-dir and --id, and that the gateway runs.");
  } finally {
    socket.destroy();
  }
}

function parseOutcome(line: string): Outcome {
  const raw: unknown = JSON.parse(line);
  const { pid, error } = isJsonObject(raw) ? raw : {};
  if (typeof pid === "number") return ok(pid);
  const { what, why, next } = isJsonObject(error) ? error : {};
  if (typeof what === "string" && typeof why === "string" && typeof next === "string") return err({ what, why, next });
  return err({
    what: "The gateway's answer is not understood.",
    why: `It said: ${line.slice(0, 200)}`,
    next: "Is it of another version? End it.",
  });
}

const refuse = (id: string, why: string, next: string): Outcome => err({ what: `Gateway ${id} was not taken over.`, why, next });
