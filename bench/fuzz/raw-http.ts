import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";

/** One answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** A head alone, as HEAD is answered: its length is that of what GET would get. */
  readonly isHeadAlone: boolean;
  /** false = the connection ended before its framing said so. */
  readonly isWhole: boolean;
}

const LINE_START = Buffer.from("HTTP/1.1 ");
const HEAD_END = Buffer.from("\r\n\r\n");
/** No input may hold its connection for longer, on a machine that is busy with others. */
export const CLOSED_WITHIN_MS = 30_000;

export interface RawExchange {
  readonly bytes: Buffer;
  readonly isClosed: boolean;
}

/**
 * Sends bytes, perhaps half-closes, and gathers all that comes until the other side closes.
 * @param isEnough looked at after each piece: true = we close.
 */
export function exchangeRaw(
  port: number,
  request: Uint8Array,
  how: { readonly halfCloses: boolean; isEnough?(bytes: Buffer): boolean } = { halfCloses: true },
): Promise<RawExchange> {
  const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  const parts: Buffer[] = [];
  return new Promise((resolve) => {
    let isClosed = false;
    const timer = setTimeout(() => socket.destroy(), CLOSED_WITHIN_MS);
    socket.on("data", (bytes: Buffer) => {
      parts.push(bytes);
      if (how.isEnough?.(Buffer.concat(parts)) !== true) return;
      isClosed = true;
      socket.destroy();
    });
    socket.on("end", () => {
      isClosed = true;
      socket.end();
    });
    socket.on("error", () => {
      isClosed = true;
      socket.destroy();
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({ bytes: Buffer.concat(parts), isClosed });
    });
    if (how.halfCloses) socket.end(request);
    else socket.write(request);
  });
}

/**
 * Cuts what a server sent into answers. @throws AssertionError when it is no HTTP/1.1, or more than its framing says.
 * @param asked what it was sent: as often as it says HEAD, wherever (a body's last byte and a lone CR may stand right
 *   before a request), a head may be followed by another one, or by nothing.
 */
export function answersOf(bytes: Buffer, asked: Buffer = Buffer.alloc(0)): readonly RawAnswer[] {
  let headsAlone = asked.toString("latin1").split("HEAD ").length - 1;
  const answers: RawAnswer[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const headEnd = rest.indexOf(HEAD_END);
    // A connection that is cut in the middle of a head: there is no answer.
    if (headEnd === -1) return answers;
    const [line = "", ...lines] = rest.toString("latin1", 0, headEnd).split("\r\n");
    const status = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(line)?.[1];
    assert.ok(status !== undefined, `a status line is one: ${JSON.stringify(line)}`);
    const headers = new Map<string, string>();
    for (const header of lines) {
      const [, name = "", value = ""] =
        /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x20-\x7e\x80-\xff]*)$/.exec(header) ?? assert.fail(`a header is one: ${header}`);
      assert.ok(!headers.has(name.toLowerCase()), `a header comes once: ${name}`);
      headers.set(name.toLowerCase(), value);
    }
    rest = rest.subarray(headEnd + HEAD_END.length);
    if (status.startsWith("1")) continue;
    if (headsAlone > 0 && (rest.length === 0 || rest.subarray(0, LINE_START.length).equals(LINE_START))) {
      headsAlone -= 1;
      answers.push({ status: Number(status), headers, body: Buffer.alloc(0), isHeadAlone: true, isWhole: true });
      continue;
    }
    const framed = headers.get("transfer-encoding") === "chunked" ? chunksOf(rest) : lengthOf(rest, headers);
    answers.push({ status: Number(status), headers, body: framed.body, isHeadAlone: false, isWhole: framed.isWhole });
    rest = framed.rest;
  }
  return answers;
}

interface Framed {
  readonly body: Buffer;
  readonly rest: Buffer;
  readonly isWhole: boolean;
}

function lengthOf(bytes: Buffer, headers: ReadonlyMap<string, string>): Framed {
  const text = headers.get("content-length");
  // Framed by the connection's end.
  if (text === undefined) return { body: bytes, rest: Buffer.alloc(0), isWhole: true };
  assert.match(text, /^\d+$/);
  const length = Number(text);
  return { body: bytes.subarray(0, length), rest: bytes.subarray(length), isWhole: bytes.length >= length };
}

function chunksOf(bytes: Buffer): Framed {
  const parts: Buffer[] = [];
  let rest = bytes;
  for (;;) {
    const lineEnd = rest.indexOf("\r\n");
    if (lineEnd === -1) return { body: Buffer.concat(parts), rest: Buffer.alloc(0), isWhole: false };
    const line = rest.toString("latin1", 0, lineEnd);
    assert.match(line, /^[0-9a-f]+$/i, "a chunk has a size");
    const length = Number.parseInt(line, 16);
    const from = lineEnd + 2;
    if (rest.length < from + length + 2) {
      parts.push(rest.subarray(from, from + length));
      return { body: Buffer.concat(parts), rest: Buffer.alloc(0), isWhole: false };
    }
    parts.push(rest.subarray(from, from + length));
    assert.equal(rest.toString("latin1", from + length, from + length + 2), "\r\n", "a chunk has an end");
    rest = rest.subarray(from + length + 2);
    if (length === 0) return { body: Buffer.concat(parts), rest, isWhole: true };
  }
}

/** An error in the form that OpenAI's clients read, or that of the front, which is the same. @returns its code */
export function checkErrorBody(body: Buffer): string {
  const { error } = JSON.parse(body.toString("utf8")) as { error?: { message?: unknown; code?: unknown; type?: unknown } };
  assert.ok(typeof error?.message === "string" && error.message !== "", "an error has a message");
  assert.ok(typeof error.code === "string" && error.code !== "", "an error has a code");
  assert.ok(typeof error.type === "string", "an error has a type");
  return error.code;
}
