import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface HttpServerPlace {
  readonly host: string;
  readonly port: number;
  readonly isTls?: boolean;
}

export interface AnswerEvents {
  head(status: number, headers: ReadonlyMap<string, string>): void;
  /** Lent: valid until return. */
  data(bytes: Buffer): void;
  end(): void;
  /** Ended before its framing said so. `hadBytes` = some of the answer had come. */
  cut(reason: string, hadBytes: boolean): void;
}

type Framing =
  | { kind: "head" }
  | { kind: "length"; left: number }
  | { kind: "chunk-size" }
  | { kind: "chunk"; left: number }
  | { kind: "trailer" };

const HEAD_END = "\r\n\r\n";

/**
 * One HTTP/1.1 connection that carries one request at a time. Reads only what the gateway writes: a length or chunks.
 * Lean on purpose: the client shares its machine with what it measures.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #released: (connection: HttpConnection) => void;
  #events: AnswerEvents | null = null;
  #framing: Framing = { kind: "head" };
  #pending: Buffer = Buffer.alloc(0);
  #hadBytes = false;
  #keepsAlive = true;
  isOpen = true;
  idleSinceMs = 0;

  constructor({ host, port, isTls = false }: HttpServerPlace, released: (connection: HttpConnection) => void) {
    this.#released = released;
    this.#socket = isTls ? connectTls({ host, port, rejectUnauthorized: false }) : connect({ host, port, noDelay: true });
    this.#socket.on("data", (bytes) => this.#read(bytes));
    this.#socket.on("error", (error: NodeJS.ErrnoException) => this.#broken(error.code ?? error.message));
    this.#socket.on("close", () => this.#broken("closed"));
  }

  send(parts: readonly (string | Buffer)[], events: AnswerEvents): void {
    this.#events = events;
    this.#framing = { kind: "head" };
    this.#hadBytes = false;
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  destroy(): void {
    this.isOpen = false;
    this.#events = null;
    this.#socket.destroy();
  }

  #broken(reason: string): void {
    this.isOpen = false;
    const events = this.#events;
    this.#events = null;
    events?.cut(reason, this.#hadBytes);
  }

  #read(bytes: Buffer): void {
    this.#hadBytes = true;
    let rest = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    while (rest.length > 0 && this.#events !== null) {
      const next = this.#take(rest);
      if (next === null) break;
      rest = next;
    }
    this.#pending = this.#events === null || rest.length === 0 ? Buffer.alloc(0) : Buffer.from(rest);
  }

  /** Takes one piece. @returns what is left, or null when the piece is not whole yet. */
  #take(bytes: Buffer): Buffer | null {
    switch (this.#framing.kind) {
      case "head":
        return this.#takeHead(bytes);
      case "length":
        return this.#takeLength(bytes, this.#framing);
      case "chunk-size":
        return this.#takeChunkSize(bytes);
      case "chunk":
        return this.#takeChunk(bytes, this.#framing);
      case "trailer":
        return this.#takeTrailer(bytes);
    }
  }

  #takeHead(bytes: Buffer): Buffer | null {
    const endAt = bytes.indexOf(HEAD_END);
    if (endAt === -1) return null;
    const [statusLine = "", ...lines] = bytes.toString("latin1", 0, endAt).split("\r\n");
    const headers = new Map(
      lines.map((line) => {
        const colonAt = line.indexOf(":");
        return [line.slice(0, colonAt).toLowerCase(), line.slice(colonAt + 1).trim()] as const;
      }),
    );
    const length = headers.get("content-length");
    this.#keepsAlive = headers.get("connection") !== "close";
    this.#events?.head(Number(statusLine.split(" ")[1]), headers);
    if (headers.get("transfer-encoding") === "chunked") this.#framing = { kind: "chunk-size" };
    else if (length === undefined) this.#framing = { kind: "length", left: Number.POSITIVE_INFINITY };
    else this.#framing = { kind: "length", left: Number(length) };
    if (length === "0") this.#complete();
    return bytes.subarray(endAt + HEAD_END.length);
  }

  #takeLength(bytes: Buffer, framing: { left: number }): Buffer {
    const taken = Math.min(framing.left, bytes.length);
    this.#events?.data(bytes.subarray(0, taken));
    framing.left -= taken;
    if (framing.left === 0) this.#complete();
    return bytes.subarray(taken);
  }

  #takeChunkSize(bytes: Buffer): Buffer | null {
    const endAt = bytes.indexOf("\r\n");
    if (endAt === -1) return null;
    const left = Number.parseInt(bytes.toString("latin1", 0, endAt), 16);
    this.#framing = left === 0 ? { kind: "trailer" } : { kind: "chunk", left: left + 2 };
    return bytes.subarray(endAt + 2);
  }

  #takeChunk(bytes: Buffer, framing: { left: number }): Buffer {
    const taken = Math.min(framing.left, bytes.length);
    // The last two bytes of a chunk are its line end.
    const payload = Math.min(taken, Math.max(0, framing.left - 2));
    if (payload > 0) this.#events?.data(bytes.subarray(0, payload));
    framing.left -= taken;
    if (framing.left === 0) this.#framing = { kind: "chunk-size" };
    return bytes.subarray(taken);
  }

  #takeTrailer(bytes: Buffer): Buffer | null {
    if (bytes.length < 2) return null;
    this.#complete();
    return bytes.subarray(2);
  }

  #complete(): void {
    const events = this.#events;
    this.#events = null;
    events?.end();
    if (!this.#keepsAlive) this.destroy();
    this.#released(this);
  }
}
