// All that is outside of the gateway, in a process of its own: its turns are not the gateway's.
import assert from "node:assert/strict";
import type { EndpointAddress } from "../../src/api/route-table.ts";
import { TENANTS, type FuzzTenant } from "./fuzz-tenants.ts";
import { HostileEngine } from "./hostile-engine.ts";
import type { AskedApi } from "./hostile-script.ts";
import { answersOf, checkErrorBody, exchangeRaw, type RawAnswer } from "./raw-http.ts";

export type OutsideOrder =
  | { readonly type: "open"; readonly lanes: number }
  | { readonly type: "run"; readonly lane: number; readonly port: number; readonly input: Uint8Array };
export type OutsideReport =
  /** Engines of each lane: those of the first tenant, then those of the second. */
  | { readonly type: "opened"; readonly engines: readonly (readonly EndpointAddress[])[] }
  | { readonly type: "ran"; readonly lane: number; readonly error: string | null };

const ENGINES_EACH = 2;
const SEPARATOR = 0x7c;
const ERRORS: ReadonlySet<number> = new Set([400, 404, 409, 413, 422, 429, 500, 502, 503, 504]);

/** Engines and clients of one input at a time. */
class Lane {
  readonly #index: number;
  readonly engines: readonly HostileEngine[];

  constructor(index: number, engines: readonly HostileEngine[]) {
    this.#index = index;
    this.engines = engines;
  }

  /** The first byte says whether the tenants share their engines, what they ask, and where; a script for each request follows, tenants in turn. */
  async run(input: Buffer, port: number): Promise<void> {
    const how = input[0] ?? 0;
    const isShared = (how & 1) === 1;
    const scripts = splitAt(input.subarray(1), SEPARATOR);
    const wrong: unknown[] = [];
    this.engines.forEach((engine, index) => {
      const asked = [0, 0];
      engine.orders = {
        isAtOnce: isShared,
        next: (canary) => {
          const tenant = canary.startsWith("canary-a") ? 0 : 1;
          if (!isShared && Math.floor(index / ENGINES_EACH) !== tenant)
            wrong.push(new Error(`${canary} was sent to another tenant's engine.`));
          const turn = (asked[tenant] ?? 0) + (index % ENGINES_EACH);
          asked[tenant] = (asked[tenant] ?? 0) + 1;
          return scripts[(turn * TENANTS.length + tenant) % scripts.length] ?? Buffer.alloc(0);
        },
      };
    });
    try {
      await Promise.all(TENANTS.map((tenant, index) => this.#ask(tenant, port, { kind: (how >> (1 + 2 * index)) & 3, api: apiOf(how) })));
    } finally {
      for (const engine of this.engines) {
        engine.orders = null;
        engine.closeConnections();
      }
    }
    const [first] = wrong;
    if (first !== undefined) throw first;
  }

  /** Two requests one after another, over one connection pool of the gateway. */
  async #ask(
    { name, key, model }: FuzzTenant,
    port: number,
    { kind, api }: { readonly kind: number; readonly api: AskedApi },
  ): Promise<void> {
    const streams = api === "embeddings" ? [false] : (kind & 1) === 1 ? [true, false] : [true];
    for (const isStream of streams) {
      const user = `canary-${name}-${this.#index}`;
      const { path, asked } = questionOf(api, (kind & 2) === 2);
      const body = JSON.stringify({ model, user, ...(api === "embeddings" ? {} : { stream: isStream }), ...asked });
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${body.length}\r\n\r\n`;
      const { bytes, isClosed } = await exchangeRaw(port, Buffer.from(head + body), { halfCloses: false });
      assert.ok(isClosed, "every request ends in time");
      const [answer, ...more] = answersOf(bytes);
      assert.ok(answer !== undefined && more.length === 0, "every request has one answer");
      assert.ok(answer.isWhole, "every answer is whole");
      assert.equal(bytes.includes(`canary-${name === "a" ? "b" : "a"}`), false, "no answer holds what another tenant was told");
      checkAnswer(answer, { isStream, api });
    }
  }
}

/** Half of all inputs ask chats and completions, a quarter each the others. */
function apiOf(how: number): AskedApi {
  if ((how & 32) === 0) return "chat";
  return (how & 64) === 0 ? "responses" : "embeddings";
}

function questionOf(api: AskedApi, isCompletion: boolean): { readonly path: string; readonly asked: object } {
  switch (api) {
    case "responses":
      return { path: "/v1/responses", asked: { input: "tide" } };
    case "embeddings":
      return { path: "/v1/embeddings", asked: { input: "tide" } };
    case "chat":
      return isCompletion
        ? { path: "/v1/completions", asked: { prompt: "tide" } }
        : { path: "/v1/chat/completions", asked: { messages: [{ role: "user", content: "tide" }] } };
  }
}

/** An event after which nothing comes. */
const RESPONSE_ENDS: ReadonlySet<unknown> = new Set(["response.completed", "response.incomplete", "error"]);

function checkResponseEvents(payloads: readonly string[]): void {
  const types = payloads.map((payload) => (JSON.parse(payload) as { type?: unknown }).type);
  assert.ok(
    types.every((type) => typeof type === "string"),
    "an event has a type",
  );
  assert.ok(RESPONSE_ENDS.has(types.at(-1)), `a response ends by its end or an error: ${String(types.at(-1))}`);
  assert.ok(!types.slice(0, -1).some((type) => RESPONSE_ENDS.has(type)), "a response ends once");
}

function checkAnswer(
  { status, headers, body }: RawAnswer,
  { isStream, api }: { readonly isStream: boolean; readonly api: AskedApi },
): void {
  if (status !== 200) {
    assert.ok(ERRORS.has(status), `a status of an error: ${status}`);
    return void checkErrorBody(body);
  }
  if (!isStream) {
    const whole = JSON.parse(body.toString("utf8")) as { choices?: unknown; output?: unknown; data?: unknown };
    const made = { chat: whole.choices, responses: whole.output, embeddings: whole.data }[api];
    assert.ok(Array.isArray(made), "a whole answer has what was asked for");
    return;
  }
  assert.match(headers.get("content-type") ?? "", /^text\/event-stream/);
  const payloads = body
    .toString("utf8")
    .split(/\n\n|\r\r|\r\n\r\n|\r\n\r/)
    .map(payloadOf)
    .filter((payload) => payload !== "");
  if (api === "responses") return checkResponseEvents(payloads);
  const last = payloads.pop() ?? "";
  const isError = last.startsWith('{"error":');
  assert.ok(last === "[DONE]" || isError, `a stream ends by its end or an error: ${last.slice(0, 200)}`);
  if (isError) checkErrorBody(Buffer.from(last));
  for (const payload of payloads)
    assert.ok(payload.startsWith("{") && payload.endsWith("}"), `an event is a chunk: ${payload.slice(0, 200)}`);
}

const payloadOf = (event: string): string =>
  event
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(line.startsWith("data: ") ? 6 : 5))
    .join("\n");

function splitAt(bytes: Buffer, separator: number): readonly Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(separator); at !== -1; at = bytes.indexOf(separator, from)) {
    parts.push(bytes.subarray(from, at));
    from = at + 1;
  }
  return [...parts, bytes.subarray(from)];
}

const lanes: Lane[] = [];
const report = (message: OutsideReport): void => {
  process.send?.(message);
};

async function obey(order: OutsideOrder): Promise<void> {
  switch (order.type) {
    case "open":
      for (let index = 0; index < order.lanes; index += 1) {
        const engines = Array.from({ length: TENANTS.length * ENGINES_EACH }, () => HostileEngine.start());
        lanes.push(new Lane(index, await Promise.all(engines)));
      }
      return report({ type: "opened", engines: lanes.map(({ engines }) => engines.map(({ address }) => address)) });
    case "run":
      try {
        await lanes[order.lane]?.run(Buffer.from(order.input), order.port);
        return report({ type: "ran", lane: order.lane, error: null });
      } catch (cause) {
        return report({ type: "ran", lane: order.lane, error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) });
      }
  }
}

process.on("message", (order: OutsideOrder) => void obey(order));
// Ends with the fuzzer, however that ends; a Ctrl-C is the fuzzer's to answer.
process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
