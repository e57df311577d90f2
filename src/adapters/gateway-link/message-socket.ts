import type { Socket } from "node:net";
import type { Result } from "../../base/result.ts";
import { LineSplitter } from "./line-splitter.ts";

/** A peer that does not read is cut; it is told everything again when it comes back. */
const UNSENT_BYTES_MAX = 64 * 1_048_576;

/** Messages as JSON lines over one socket. */
export class MessageSocket<Incoming, Outgoing> {
  readonly #socket: Socket;

  /** @param parse what it refuses is skipped: a newer peer may say more than this version knows. */
  constructor(socket: Socket, parse: (raw: unknown) => Result<Incoming, unknown>, take: (message: Incoming) => void) {
    this.#socket = socket;
    const lines = new LineSplitter((line) => {
      if (socket.destroyed) return;
      const raw = parseJson(line);
      if (raw === undefined) return void socket.destroy();
      const message = parse(raw);
      if (message.ok) take(message.value);
    });
    socket.on("data", (chunk: Buffer) => {
      if (!lines.push(chunk)) socket.destroy();
    });
    // A close follows, and says enough.
    socket.on("error", () => socket.destroy());
  }

  /** false = the peer is gone. */
  send(message: Outgoing): boolean {
    if (this.#socket.destroyed || !this.#socket.writable) return false;
    if (this.#socket.writableLength > UNSENT_BYTES_MAX) {
      this.#socket.destroy();
      return false;
    }
    this.#socket.write(`${JSON.stringify(message)}\n`);
    return true;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** @returns undefined for what is no JSON: the peer speaks something else. */
function parseJson(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    return value;
  } catch {
    return undefined;
  }
}
