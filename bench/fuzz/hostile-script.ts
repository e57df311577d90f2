import { Choices } from "./fuzz-target.ts";

/** What a hostile engine does with one request, one after another. */
export type HostileStep =
  | { readonly kind: "write"; readonly bytes: Buffer }
  | { readonly kind: "sleep"; readonly forMs: number }
  | { readonly kind: "end" }
  | { readonly kind: "reset" };

/** Who asks, by the address that it asks. */
export type AskedApi = "chat" | "responses" | "embeddings";

export interface Asked {
  readonly api: AskedApi;
  readonly isStream: boolean;
  /** Of the tenant whose request it is: in all that is said of it. */
  readonly canary: string;
}

const STATUSES = [
  "500 x",
  "429 x",
  "503 x",
  "400 x",
  "404 x",
  "204 x",
  "304 x",
  "101 x",
  "100 x",
  "999 x",
  "200",
  "302 x",
  "413 x",
  "422 x",
];
const STEPS_MAX = 40;
const HUGE_UNIT_BYTES = 12_288;

const head = (status: string, more: string): Buffer => Buffer.from(`HTTP/1.1 ${status}\r\n${more}\r\n`, "latin1");
const chunked = (text: string | Buffer): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
};
const event = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
const EVENT_STREAM = "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n";
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

const chunk = (choice: object, more: object = {}): string =>
  event({
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, finish_reason: null, ...choice }],
    ...more,
  });
const tokens = (canary: string, ids: unknown): string => chunk({ delta: { content: `${canary} ` }, text: `${canary} `, token_ids: ids });
const first = (): string => chunk({ delta: { role: "assistant", content: "" } }, { prompt_token_ids: [1, 2, 3] });
const finish = (): string => chunk({ delta: {}, text: "", finish_reason: "stop", token_ids: [] });
const DONE = "data: [DONE]\n\n";
const deep = (canary: string, depth: number): string =>
  chunk({ delta: { content: canary }, text: canary, token_ids: [1] }).replace(
    /\}\n\n$/,
    `,"x":${"[".repeat(depth)}${"]".repeat(depth)}}\n\n`,
  );

/** An event of a streamed response, under its own name. */
const saying = (type: string, more: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: 1, ...more })}\n\n`;
const delta = (canary: string): string => saying("response.output_text.delta", { output_index: 0, content_index: 0, delta: `${canary} ` });
const responseOf = (status: string, canary: string): object => ({
  id: "resp_1",
  object: "response",
  created_at: 1,
  status,
  model: "m",
  output: [{ type: "message", id: "msg_1", role: "assistant", content: [{ type: "output_text", text: canary }] }],
  usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
});
const created = (canary: string): string => saying("response.created", { response: responseOf("in_progress", canary) });
const completed = (status: string, canary: string): string => saying(`response.${status}`, { response: responseOf(status, canary) });

/** An answer as a good engine gives it. */
function goodAnswer({ api, isStream, canary }: Asked): Buffer {
  if (isStream) {
    const events =
      api === "responses"
        ? [created(canary), delta(canary), completed("completed", canary)]
        : [first(), tokens(canary, [7]), tokens(canary, [8]), finish(), DONE];
    return Buffer.concat([head("200 OK", EVENT_STREAM), ...events.map(chunked), LAST_CHUNK]);
  }
  const body = JSON.stringify(wholeOf(api, canary));
  return Buffer.concat([head("200 OK", `content-type: application/json\r\ncontent-length: ${body.length}\r\n`), Buffer.from(body)]);
}

function wholeOf(api: AskedApi, canary: string): object {
  if (api === "responses") return responseOf("completed", canary);
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  if (api === "embeddings")
    return { object: "list", model: "m", data: [{ object: "embedding", index: 0, embedding: [0.5], x: canary }], usage };
  const choice = { index: 0, message: { role: "assistant", content: canary }, text: canary, finish_reason: "stop" };
  return { id: "c", object: "chat.completion", created: 1, model: "m", choices: [choice], usage };
}

/** Each operation takes its choices from the input. The letters are for people who read a corpus. */
const OPERATIONS: readonly (readonly [string, (choices: Choices, asked: Asked) => readonly HostileStep[]])[] = [
  ["G", (_, asked) => [write(goodAnswer(asked))]],
  ["H", () => [write(head("200 OK", EVENT_STREAM))]],
  ["T", (choices, { canary }) => [write(chunked(tokens(canary, [choices.byte()])))]],
  ["F", () => [write(chunked(first()))]],
  ["E", () => [write(chunked(finish()))]],
  ["D", () => [write(chunked(DONE))]],
  ["0", () => [write(LAST_CHUNK)]],
  ["S", (choices) => [{ kind: "sleep", forMs: 1 + choices.below(25) }]],
  ["X", () => [{ kind: "end" }]],
  ["R", () => [{ kind: "reset" }]],
  ["B", (choices) => [write(choices.bytes(choices.below(48)))]],
  ["C", (choices) => [write(chunked(choices.bytes(choices.below(48))))]],
  ["h", (choices) => [write(chunked(`1\r\n`).subarray(0, choices.below(6)))]],
  [
    "L",
    (choices, { canary }) => [
      write(
        head(
          "200 OK",
          `content-type: ${choices.below(2) === 0 ? "application/json" : "text/event-stream"}\r\ncontent-length: ${choices.byte() * 3}\r\n`,
        ),
      ),
      write(Buffer.from(tokens(canary, [1]))),
    ],
  ],
  [
    "N",
    (choices, { canary }) => {
      const body = choices.below(2) === 0 ? JSON.stringify({ error: { message: canary, code: 7 } }) : canary;
      return [write(head(STATUSES[choices.below(STATUSES.length)] ?? "", `content-length: ${body.length}\r\n`)), write(Buffer.from(body))];
    },
  ],
  ["e", (_, { canary }) => [write(chunked(event({ error: { message: canary, code: "x" } })))]],
  ["I", (choices, { canary }) => [write(chunked(tokens(canary, [["x"], -1, [1.5], {}, "9", [[1]], [1e9]][choices.below(7)])))]],
  [
    "U",
    (choices, { canary }) => [
      write(
        chunked(chunk({ delta: { content: canary }, index: choices.byte() }, { id: "other", usage: { prompt_tokens: choices.byte() } })),
      ),
    ],
  ],
  ["V", (choices) => [write(chunked(`data: {"choices":"${"x".repeat(HUGE_UNIT_BYTES * choices.below(60))}`))]],
  ["W", (choices, { canary }) => Array.from({ length: choices.below(48) }, () => write(chunked(tokens(canary, [1]).repeat(8))))],
  ["Y", (choices) => [write(head("200 OK", `${EVENT_STREAM}x-long: ${"y".repeat(choices.byte() * 300)}\r\n`))]],
  ["K", () => [write(head("200 OK", `connection: close\r\ncontent-type: text/event-stream\r\n`))]],
  ["P", (_, { canary }) => [write(Buffer.from(tokens(canary, [3])))]],
  ["A", () => [write(chunked(chunk({ delta: {}, finish_reason: "abort" })))]],
  ["c", (_, { canary }) => [write(chunked(created(canary)))]],
  ["t", (choices, { canary }) => [write(chunked(delta(canary).repeat(choices.below(8))))]],
  [
    "d",
    (choices, { canary }) => [
      write(chunked(completed(["completed", "incomplete", "failed", "cancelled"][choices.below(4)] ?? "", canary))),
    ],
  ],
  // As deep as a parser follows, and deeper than who writes it again may go.
  ["Z", (choices, { canary }) => [write(chunked(deep(canary, 40 * choices.byte())))]],
  ["Q", (choices) => [write(chunked(": comment\n\n".repeat(choices.byte() * 8)))]],
];
export const LETTERS = OPERATIONS.map(([letter]) => letter).join("");
const BY_BYTE = Array.from({ length: 256 }, (_, byte) => {
  const at = LETTERS.indexOf(String.fromCharCode(byte));
  return OPERATIONS[at === -1 ? byte % OPERATIONS.length : at];
});

const write = (bytes: Buffer): HostileStep => ({ kind: "write", bytes });

/** @returns no step = the engine ends the connection. */
export function stepsOf(script: Buffer, asked: Asked): readonly HostileStep[] {
  const choices = new Choices(script);
  const steps: HostileStep[] = [];
  while (!choices.isEmpty && steps.length < STEPS_MAX) steps.push(...(BY_BYTE[choices.byte()]?.[1](choices, asked) ?? []));
  return steps;
}
