import assert from "node:assert/strict";
import test from "node:test";
import { openAiRefusal, refusalOf } from "../src/adapters/http-front/refusal.ts";
import * as errors from "../src/gateway/explain.ts";
import type { RefusalCode } from "../src/routing/next-attempt.ts";
import { openAiErrorBody, openAiErrorHeaders, type OpenAiError } from "../src/wire/openai-error.ts";
import { parseEngineError } from "../src/wire/parse-engine-error.ts";

/** What the SDKs are told: to ask again after so many milliseconds, or not to. */
type Told = number | "never";

/** Every reason for which `nextAttempt` sends a request away. A new one does not compile before it stands here. */
const REFUSALS: Readonly<Record<RefusalCode, readonly [status: number, told: Told]>> = {
  service_gone: [404, "never"],
  hold_full: [503, 1_000],
  no_endpoint: [503, 1_000],
  shed: [503, 1_000],
  request_quarantined: [422, "never"],
  upstream_busy: [429, 1_000],
  upstream_lost: [502, "never"],
  upstream_refused: [502, "never"],
  upstream_stalled: [502, "never"],
  upstream_malformed: [502, "never"],
  upstream_truncated: [502, "never"],
  upstream_error: [502, "never"],
  upstream_diverged: [502, "never"],
  upstream_rejected: [502, "never"],
  upstream_drained: [502, "never"],
};

/** Every other error that the gateway makes, by the name of its maker. */
const MADE: Readonly<Record<string, readonly [error: OpenAiError, status: number, told: Told]>> = {
  invalidRequest: [errors.invalidRequest("invalid_json", "m", null), 400, "never"],
  unknownModel: [errors.unknownModel("m"), 404, "never"],
  unknownRoute: [errors.unknownRoute, 404, "never"],
  wrongMethod: [errors.wrongMethod, 405, "never"],
  unauthorised: [errors.unauthorised, 401, "never"],
  bodyTooLarge: [errors.bodyTooLarge(1), 413, "never"],
  encodedBody: [errors.encodedBody, 415, "never"],
  tooManyOpen: [errors.tooManyOpen(1), 429, 1_000],
  tooManyTokens: [errors.tooManyTokens(1, "max_tokens"), 400, "never"],
  outOfMemory: [errors.outOfMemory, 503, 1_000],
  starting: [errors.starting, 503, 250],
  draining: [errors.draining, 503, 500],
};

/** Statuses by which an engine says that a request is wrong, and what is made of them. */
const ENGINE: Readonly<Record<number, number>> = { 400: 400, 404: 404, 413: 400, 422: 422 };

const FRONT: Readonly<Record<string, readonly [status: number, told: Told]>> = {
  HPE_HEADER_OVERFLOW: [431, "never"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "never"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 1_000],
  HPE_INVALID_METHOD: [400, "never"],
};

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** One word for the retry headers; anything that contradicts itself, or is not said, is a finding. */
function toldBy({ headers }: Answer): Told {
  const of = (name: string): string | undefined => headers[headers.indexOf(name) + 1];
  assert.ok(headers.includes("x-should-retry"), "it is always said");
  if (of("x-should-retry") === "false") {
    assert.ok(!headers.includes("retry-after") && !headers.includes("retry-after-ms"));
    return "never";
  }
  const afterMs = Number(of("retry-after-ms"));
  assert.equal(of("x-should-retry"), "true");
  assert.equal(Number(of("retry-after")), Math.ceil(afterMs / 1_000));
  return afterMs;
}

function checkShape({ status, headers, body }: Answer): void {
  const { error } = JSON.parse(body.toString("utf8")) as { error: Readonly<Record<string, unknown>> };
  assert.deepEqual(Object.keys(error), ["message", "type", "param", "code"]);
  for (const key of ["message", "type", "code"]) assert.ok(typeof error[key] === "string" && error[key] !== "", key);
  assert.ok(error["param"] === null || typeof error["param"] === "string");
  assert.ok(status >= 400 && status < 600);
  assert.deepEqual(headers.slice(0, 4), ["content-type", "application/json", "content-length", String(body.length)]);
}

const answerOf = (error: OpenAiError): Answer => {
  const body = openAiErrorBody(error);
  return { status: error.status, headers: openAiErrorHeaders(error, body), body };
};

const answers: readonly (readonly [name: string, answer: Answer, status: number, told: Told])[] = [
  ...Object.entries(REFUSALS).map(([code, [status, told]]) => {
    return [`a request refused as ${code}`, answerOf(errors.explainRefusal(code as RefusalCode, "m", null)), status, told] as const;
  }),
  ...Object.entries(MADE).map(([name, [error, status, told]]) => [name, answerOf(error), status, told] as const),
  ...Object.entries(ENGINE).map(
    ([from, to]) => [`an engine's ${from}`, answerOf(parseEngineError(Number(from), "{}", 1)), to, "never"] as const,
  ),
  ...Object.entries(FRONT).map(([code, [status, told]]) => {
    const refusal = refusalOf(code);
    return [`the front's ${code}`, { status: refusal.status, ...openAiRefusal(refusal) }, status, told] as const;
  }),
];

for (const [name, answer, status, told] of answers) {
  test(`error answer: ${name} is ${status}, and says ${told === "never" ? "not to ask again" : `to ask again after ${told} ms`}`, () => {
    checkShape(answer);
    assert.deepEqual([answer.status, toldBy(answer)], [status, told]);
  });
}

test("error answer: every error that the gateway makes stands in the table", () => {
  const makers = Object.keys(errors).filter((name) => !name.startsWith("explain"));
  assert.deepEqual(makers.toSorted(), Object.keys(MADE).toSorted());
});

test("error answer: a wait that the gateway knows is told, within what the SDKs obey", () => {
  for (const [knownMs, told] of [
    [4_200, 4_200],
    [3_600_000, 60_000],
  ] as const) {
    assert.equal(toldBy(answerOf(errors.explainRefusal("no_endpoint", "m", knownMs))), told);
  }
});
