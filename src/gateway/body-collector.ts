import type { Exchange, ExchangeEvents } from "../ports/http-front.ts";
import type { OpenAiError } from "../wire/openai-error.ts";
import type { ClientRequest } from "./client-request.ts";
import { bodyTooLarge, outOfMemory } from "./explain.ts";
import { BODIES_BYTES_MAX, BODY_BYTES_MAX } from "./gateway-ports.ts";
import { headerOf } from "./header-of.ts";

/** Bytes of all request bodies in memory. */
export class BodyRoom {
  #used = 0;

  /** false = full; nothing was taken. */
  take(bytes: number): boolean {
    if (this.#used + bytes > BODIES_BYTES_MAX) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

export interface BodyOwner {
  /** @returns the request that the body became, or null when it was answered. `release` once when the body is not needed any more. */
  complete(body: Buffer, release: () => void): ClientRequest | null;
  refuse(error: OpenAiError): void;
  gone(request: ClientRequest): void;
}

/** Gathers one body within its limits, then passes the client's events to the request. */
export class BodyCollector implements ExchangeEvents {
  readonly #room: BodyRoom;
  readonly #owner: BodyOwner;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #isRefused = false;
  #request: ClientRequest | null = null;

  constructor(exchange: Exchange, room: BodyRoom, owner: BodyOwner) {
    this.#room = room;
    this.#owner = owner;
    const announced = Number(headerOf(exchange.headers, "content-length") ?? 0);
    if (announced > BODY_BYTES_MAX) this.#refuse(bodyTooLarge(BODY_BYTES_MAX));
  }

  body(given: Uint8Array): void {
    if (this.#isRefused) return;
    if (this.#bytes + given.length > BODY_BYTES_MAX) {
      this.#refuse(bodyTooLarge(BODY_BYTES_MAX));
      return;
    }
    if (!this.#room.take(given.length)) {
      this.#refuse(outOfMemory);
      return;
    }
    this.#bytes += given.length;
    this.#parts.push(given);
  }

  bodyEnd(): void {
    if (this.#isRefused) return;
    const body = bodyOf(this.#parts);
    this.#parts = [];
    const bytes = this.#bytes;
    this.#bytes = 0;
    this.#request = this.#owner.complete(body, () => this.#room.give(bytes));
  }

  drained(): void {
    if (this.#request !== null) this.#request.isFull = false;
    this.#request?.running?.drained();
  }

  gone(): void {
    this.#drop();
    this.#isRefused = true;
    if (this.#request !== null) this.#owner.gone(this.#request);
  }

  #refuse(error: OpenAiError): void {
    this.#isRefused = true;
    this.#drop();
    this.#owner.refuse(error);
  }

  #drop(): void {
    this.#room.give(this.#bytes);
    this.#bytes = 0;
    this.#parts = [];
  }
}

/** What was given is never changed: one part is the body. */
function bodyOf(parts: readonly Uint8Array[]): Buffer {
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? Buffer.from(first.buffer, first.byteOffset, first.byteLength) : Buffer.concat(parts);
}
