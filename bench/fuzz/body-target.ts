import assert from "node:assert/strict";
import { scanJsonObject, type JsonScanError } from "../../src/wire/json-scan.ts";
import type { OpenAiApi } from "../../src/wire/openai-api.ts";
import { completionBodyFor, type CompletionRequest } from "../../src/wire/openai-request.ts";
import { readOpenAiRequest } from "../../src/wire/read-openai-request.ts";
import type { OpenTarget } from "./fuzz-target.ts";

type Fields = Readonly<Record<string, unknown>>;

const APIS: readonly OpenAiApi[] = ["chat", "completions", "embeddings", "responses"];
const MESSAGES = '"messages":[{"role":"user","content":"Tide \\u00e9 🌊 \\"quoted\\""}]';
const CORPUS = [
  `{"model":"m",${MESSAGES},"stream":true,"max_tokens":64,"n":1}`,
  `{"model":"m","prompt":[1,2,3],"max_tokens":null,"stream":true,"stream_options":{"include_usage":false}}`,
  `{"model":"m","prompt":["a","b"],"temperature":0.7,"stop":["x"],"stream_options":null}`,
  `{ "model" : "m" , ${MESSAGES} , "tools" : [ { "type" : "function" } ] , "max_completion_tokens" : 1e2 }`,
  `{"model":"m","a":{"b":[{"c":[[[[]]]]}]},"logprobs":true,"seed":-0,"x":1.5e300,"y":[true,false,null]}`,
  `{"m\\u006fdel":"m","\\u0000":"\\ud83c\\udf0a"}`,
  `{"model":"m","input":"tide","stream":true,"store":true,"max_output_tokens":null,"include":["x"]}`,
  `{"model":"m","input":["a","b"],"encoding_format":"float","dimensions":3}`,
  `{"model":"m","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}}]}]}`,
  "{}",
];
const WORDS = [
  '"model":"m",',
  '"__proto__":1,',
  '"\\u005f_proto__":{},',
  '"Model":"x",',
  '"store":null,',
  '"max_output_tokens":9,',
  '"background":false,',
  '"type":"text",',
  '"type":"image_url",',
  '"image_url":{"url":"x"},',
  '"input":[1,[2]],',
  '"stream":true,',
  '"n":2,',
  '"max_tokens":5,',
  '"model":',
  '"stream_options":{"include_usage":true},',
  '"return_token_ids":true,',
  '"stream_options":[],',
  "1e400",
  "-",
  "01",
  "1.",
  "0.1e+5",
  "123456789012345678901234567890123456789012345678901234567890123456789",
  "\\ud800",
  "\\udc00",
  "\\ud83c\\udf0a",
  "\\u00",
  "\\x",
  "[[[[[[[[[[",
  "]]]]]]]]]]",
  '{"a":',
  "}",
  "\ufeff",
  "\u00a0",
  "\u2028",
  "null",
  "true",
  "NaN",
  "// c\n",
  "'",
  `{"model":"m","input":"tide","stream":true,"store":true,"max_output_tokens":null,"include":["x"]}`,
  `{"model":"m","input":["a","b"],"encoding_format":"float","dimensions":3}`,
  "{}",
];

/** The scan of a body agrees with JSON.parse, and refuses what it must; what is sent to an engine means the same. */
export const openBodyTarget: OpenTarget = async (watch) => ({
  corpus: CORPUS.map((text) => Buffer.from(text)),
  words: [...WORDS.map((word) => Buffer.from(word)), Buffer.from([0xff]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xc0, 0x80])],
  inputBytesMax: 262_144,
  lanes: 1,
  run: (input) => {
    const before = Buffer.from(input);
    const scan = watch.time(() => scanJsonObject(input));
    const reads = APIS.map((api) => watch.time(() => readOpenAiRequest(api, input)));
    assert.deepEqual(input, before, "a body is read, never changed");
    const value = parse(input);
    if (!scan.ok) {
      assert.ok(!reads.some(({ ok }) => ok), "what the scan refuses is no request");
      return checkRefusal(scan.error, value);
    }
    assert.ok(isObject(value), "what is accepted is an object to JSON.parse too");
    checkValues(value, 1);
    checkFields(input, scan.value.fields, value);
    checkTwice(input, scan.value.closeAt, Object.keys(value));
    for (const read of reads) {
      if (!read.ok) continue;
      checkRequest(read.value, value);
      checkSent(input, read.value, value);
    }
  },
  close: async () => undefined,
});

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

/** As another parser reads it; undefined = it is no JSON in UTF-8. */
function parse(input: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input)) as unknown;
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) return undefined;
    throw cause;
  }
}

/** What is refused for its form is refused by others too; the other reasons are our own. */
function checkRefusal({ code }: JsonScanError, value: unknown): void {
  if (code === "NOT_JSON") assert.equal(value, undefined, "JSON is not called something else");
  if (code === "NOT_AN_OBJECT") assert.equal(isObject(value), false, "an object is not called something else");
}

function checkValues(value: unknown, depth: number): void {
  if (typeof value === "string") assert.ok(value.isWellFormed(), "no half of a surrogate pair is accepted");
  if (typeof value === "number") assert.ok(Number.isFinite(value), "no endless number is accepted");
  if (typeof value !== "object" || value === null) return;
  assert.ok(depth <= 100, "no deep value is accepted");
  for (const [key, inner] of Object.entries(value)) {
    assert.notEqual(key, "__proto__", "no key poisons an object");
    assert.ok(key.isWellFormed(), "no half of a surrogate pair is accepted");
    checkValues(inner, depth + 1);
  }
}

function checkFields(input: Buffer, fields: ReadonlyMap<string, { readonly start: number; readonly end: number }>, value: Fields): void {
  assert.deepEqual([...fields.keys()].toSorted(), Object.keys(value).toSorted());
  for (const [key, { start, end }] of fields) assert.deepEqual(parse(input.subarray(start, end)), value[key]);
}

/** The same body with one of its own keys once more, spelt otherwise, or with the key that poisons objects. */
function checkTwice(input: Buffer, closeAt: number, keys: readonly string[]): void {
  const [key] = keys;
  const escaped = (text: string): string =>
    `"${Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`;
  const added = (field: string): Buffer =>
    Buffer.concat([input.subarray(0, closeAt), Buffer.from(`${keys.length === 0 ? "" : ","}${field}`), input.subarray(closeAt)]);
  const codeOf = (body: Buffer): string => {
    const scan = scanJsonObject(body);
    return scan.ok ? "accepted" : scan.error.code;
  };
  if (key !== undefined) {
    assert.match(codeOf(added(`${JSON.stringify(key)}:1`)), /DUPLICATE_KEY|TOO_MANY_KEYS/);
    assert.match(codeOf(added(`${escaped(key)}:1`)), /DUPLICATE_KEY|TOO_MANY_KEYS/);
  }
  assert.match(codeOf(added(`${escaped("__proto__")}:1`)), /FORBIDDEN_KEY/);
  assert.match(codeOf(added('"fuzz added":[{"__proto__":1}]')), /FORBIDDEN_KEY|TOO_MANY|TOO_DEEP/);
}

function checkRequest(request: CompletionRequest, value: Fields): void {
  assert.equal(request.model, value["model"]);
  if (request.api === "embeddings") return;
  assert.equal(request.isStream, value["stream"] ?? false);
  assert.equal(request.maxTokens, limitOf(request.api, value) ?? null);
  if (request.isStream && request.continuity.kind === "ids")
    assert.equal(hasMedia(value["messages"]), false, "an image is not gone on with from ids");
  if (request.api !== "responses") assert.equal(request.n, value["n"] ?? 1);
}

function limitOf(api: CompletionRequest["api"], value: Fields): unknown {
  if (api === "responses") return value["max_output_tokens"];
  return (api === "chat" ? value["max_completion_tokens"] : null) ?? value["max_tokens"];
}

/** Of an image the ids of a prompt hold only the place. */
function hasMedia(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasMedia);
  if (!isObject(value)) return false;
  const { type = "text" } = value;
  return (type !== "text" && type !== "function") || "image_url" in value || Object.values(value).some(hasMedia);
}

/** As the gateway changes bodies: it adds a limit where none was named, and asks for ids only where nothing unknown was said. */
function checkSent(input: Buffer, request: CompletionRequest, value: Fields): void {
  const { api, isStream } = request;
  const change = {
    upstreamModel: 'an "other" model',
    maxTokens: request.maxTokens === null && api !== "embeddings" ? 77 : null,
    asksIds: isStream && request.continuity.kind === "ids",
    asksUsage: isStream && !request.includesUsage,
  };
  const sent = completionBodyFor(input, request, change);
  const scan = scanJsonObject(Buffer.from(sent));
  assert.ok(scan.ok || scan.error.code === "TOO_MANY_KEYS", "what is sent would be accepted");
  const expected: Record<string, unknown> = { ...value, model: change.upstreamModel };
  if (change.maxTokens !== null) expected[api === "responses" ? "max_output_tokens" : "max_tokens"] = change.maxTokens;
  if (change.asksIds) expected["return_token_ids"] = true;
  const options = value["stream_options"];
  if (change.asksUsage) expected["stream_options"] = { ...(isObject(options) ? options : {}), include_usage: true };
  if (api === "responses") expected["store"] = false;
  assert.deepEqual(parse(sent), expected);
}
