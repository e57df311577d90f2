import assert from "node:assert/strict";
import { createNodeHttpFront } from "../../src/adapters/http-front/node-http.ts";
import { monotonicMs } from "../../src/base/ids.ts";
import type { Exchange } from "../../src/ports/http-front.ts";
import type { Upstream } from "../../src/ports/upstream.ts";
import { openGateway } from "./fuzz-gateway.ts";
import { TENANTS, type FuzzTenant } from "./fuzz-tenants.ts";
import type { OpenTarget } from "./fuzz-target.ts";
import { answersOf, checkErrorBody, exchangeRaw } from "./raw-http.ts";

/** One in so many goes over a real connection too. */
const WIRE_EVERY = 16;
const [A, B] = TENANTS;

const nobody: Upstream = {
  call: () => {
    throw new Error("No key asks an engine here.");
  },
};

/** No value of Authorization is taken for a key that it is not, and none is more than a 401. */
export const openAuthorizationTarget: OpenTarget = async (watch) => {
  const gateway = await openGateway(nobody, [[], []]);
  const front = createNodeHttpFront();
  const listening = await front.listen({ host: "127.0.0.1", port: 0 }, gateway.handler);
  if (!listening.ok) throw new Error(listening.error.code);
  const { port } = listening.value.address;
  let count = 0;
  return {
    corpus: corpus(),
    words: words(),
    inputBytesMax: 12_000,
    lanes: 1,
    run: async (input) => {
      const value = input.toString("latin1");
      const told = watch.time(() => ask(gateway.handler, ["Authorization", value]));
      checkAnswer(told, value);
      count += 1;
      // Line ends and NUL end a header on the wire: there it is another value.
      if (count % WIRE_EVERY !== 0 || /[\0\r\n]/.test(value)) return;
      const head = Buffer.from(`GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: `);
      const { bytes, isClosed } = await exchangeRaw(port, Buffer.concat([head, input, Buffer.from("\r\n\r\n")]));
      assert.ok(isClosed, "the connection ends");
      const [answer, ...more] = answersOf(bytes);
      assert.ok(answer !== undefined && more.length === 0 && answer.isWhole, "there is one answer");
      if (answer.status === 400) return void checkErrorBody(answer.body);
      checkAnswer(answer, value.replace(/^[ \t]+|[ \t]+$/g, ""));
    },
    close: async () => {
      await listening.value.close(0);
      gateway.stop();
    },
  };
};

function corpus(): Buffer[] {
  const values = [
    `Bearer ${A.key}`,
    `bearer   ${B.key}  `,
    `Bearer ${A.key.slice(0, 20)}`,
    `Bearer ${A.key.slice(0, -1)}b`,
    `Bearer ${A.key}x`,
    `Bearer ${A.key},Bearer ${B.key}`,
    `Bearer ' OR '1'='1`,
    `Bearer ${A.key.toUpperCase()}`,
    `Basic ${Buffer.from(A.key).toString("base64")}`,
    `Bearer`,
    "",
    `Bearer ${A.key}${" ".repeat(600)}${B.key}`,
    `Bearer ${"a".repeat(9_000)}`,
    `Bearer ${A.key}\0`,
    `Bearer\t${A.key}`,
    A.key,
  ];
  return [...values.map((value) => Buffer.from(value)), Buffer.from(`Bearer ключ-é🌊`), Buffer.from([0x42, 0xff, 0xfe, 0x00])];
}

const words = (): Buffer[] =>
  [
    A.key,
    B.key,
    "Bearer ",
    "bearer",
    " ",
    "\t",
    "\0",
    "\r\n",
    "Authorization: ",
    "'--",
    "%00",
    "\u00a0",
    "é",
    "\\",
    "null",
    "a".repeat(500),
    " ".repeat(530),
  ].map((word) => Buffer.from(word));

interface Told {
  readonly status: number;
  readonly body: Buffer;
}

/** Whose key a value names, said in another way than the product does. */
function ownerOf(value: string): FuzzTenant | null {
  const space = value.indexOf(" ");
  if (space === -1 || value.slice(0, space).toLowerCase() !== "bearer") return null;
  const key = value.slice(space).replace(/^ +/, "").replace(/ +$/, "");
  return TENANTS.find((tenant) => tenant.key === key) ?? null;
}

let refusal: string | null = null;

function checkAnswer({ status, body }: Told, value: string): void {
  const owner = ownerOf(value);
  if (status === 200) {
    assert.ok(owner !== null, "nobody is let in who has no key");
    const { data } = JSON.parse(body.toString("utf8")) as { data: { id: string }[] };
    assert.deepEqual(
      data.map(({ id }) => id),
      [owner.model],
    );
    return;
  }
  assert.equal(status, 401);
  const text = body.toString("utf8");
  checkErrorBody(body);
  refusal ??= text;
  assert.equal(text, refusal, "every refusal is the same");
  // A key with more spaces than any client sends may be refused.
  if (owner !== null) assert.ok(value.length > 500, "a key is let in");
}

/** The handler alone, without a connection. */
function ask(handler: (exchange: Exchange) => unknown, headers: readonly string[]): Told {
  let status = 0;
  const parts: Uint8Array[] = [];
  handler({
    method: "GET",
    target: "/v1/models",
    httpVersion: "1.1",
    headers,
    remoteAddress: "127.0.0.1",
    arrivedAt: monotonicMs(1),
    pauseBody: () => undefined,
    resumeBody: () => undefined,
    head: (given) => (status = given),
    write: (given) => {
      parts.push(given);
      return true;
    },
    end: () => undefined,
    abort: () => undefined,
  });
  return { status, body: Buffer.concat(parts) };
}
