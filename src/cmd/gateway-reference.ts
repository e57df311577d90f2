import { refusalOf } from "../adapters/http-front/refusal.ts";
import type { MetricFamily } from "../base/metric.ts";
import * as made from "../gateway/explain.ts";
import { ANSWER_BYTES_MAX, BODIES_BYTES_MAX, BODY_BYTES_MAX, HOLD_BYTES_MAX, HOLD_COUNT_MAX } from "../gateway/gateway-ports.ts";
import type { HedgeOutcome } from "../gateway/hedges.ts";
import type { ContinueRefusal, WayOn } from "../gateway/stream-past.ts";
import type { NextAttempt, RefusalCode } from "../routing/next-attempt.ts";
import { GatewayRig } from "../simulator/gateway-rig.ts";
import type { OpenAiError } from "../wire/openai-error.ts";

type Meanings<Value extends string> = Readonly<Record<Value, string>>;

/** Why a request is sent away; a new code does not compile before it stands here. */
const REFUSALS: Readonly<Record<RefusalCode, null>> = {
  service_gone: null,
  hold_full: null,
  no_endpoint: null,
  shed: null,
  request_quarantined: null,
  upstream_busy: null,
  upstream_lost: null,
  upstream_refused: null,
  upstream_stalled: null,
  upstream_malformed: null,
  upstream_truncated: null,
  upstream_error: null,
  upstream_diverged: null,
  upstream_rejected: null,
  upstream_drained: null,
};

const isRefusal = (code: string): code is RefusalCode => code in REFUSALS;

/** All errors that the gateway makes by itself, but those that say what is wrong with a body. */
export const gatewayErrors = (): readonly OpenAiError[] => [
  made.unauthorised,
  made.unknownRoute,
  made.wrongMethod,
  made.unknownModel("MODEL"),
  made.bodyTooLarge(BODY_BYTES_MAX),
  made.encodedBody,
  made.tooManyTokens(64, "max_tokens"),
  made.tooManyOpen(8),
  made.starting,
  made.draining,
  made.outOfMemory,
  ...Object.keys(REFUSALS)
    .filter(isRefusal)
    .filter((code) => code !== "service_gone")
    .map((code) => made.explainRefusal(code, "MODEL", null)),
];

/** Of node:http: what cannot be read as a request. */
const FRONT = ["HPE_HEADER_OVERFLOW", "HPE_CHUNK_EXTENSIONS_OVERFLOW", "ERR_HTTP_REQUEST_TIMEOUT", "HPE_INVALID_METHOD"];

/** `whole` is no stream's. */
type StreamEnd = "undisturbed" | WayOn | "client-gone" | `error-${Exclude<ContinueRefusal, "whole"> | "no-instance"}`;
const STREAM_ENDS: Meanings<StreamEnd> = {
  undisturbed: "its first engine served all of it",
  ids: "another engine went on from the ids of what was shown",
  restart: "another engine made it again, and what was shown was equal",
  "client-gone": "its client went away",
  "error-no-instance": "it could have gone on; no engine of an equal fingerprint was there in time, or the retry budget was spent",
  "error-choices": "several answers at once (`n`, `best_of`, a list of prompts)",
  "error-logprobs": "log probabilities (`logprobs`, `top_logprobs`, `prompt_logprobs`, `echo`, `suffix`)",
  "error-ids-asked": "its client reads token ids itself",
  "error-degraded": "another model answered, by a degraded step",
  "error-diverged": "made again, the answer was another one",
  "error-rejected": "another engine does not take the rest of it",
  "error-no-ids": "its engine named no ids, or none that can be used",
  "error-too-long": "more was shown than is kept: 2 MiB of one stream, or 256 MiB of all",
  "error-unreadable": "its last chunk is of no form that another one could be given",
  "error-parsed": "reasoning or a call came after text had been shown by ids",
  "error-no-room": "nothing is left of its token limit or of the context",
};

const HEDGES: Meanings<HedgeOutcome> = {
  won: "the second call gave the first token",
  lost: "the first call did: the second was in vain",
  failed: "the second call failed",
  gone: "its client went away before either",
};

const ATTEMPTS: Meanings<Extract<NextAttempt, { kind: "send" }>["because"] | "hedge"> = {
  first: "the request's first call",
  reroute: "again after its engine was lost or ended as planned: free, at most twice after a death",
  retry: "again after an error, a stall or an unreadable answer: a token of the retry budget",
  hedge: "a second call beside a late first one: a token of the same budget",
};

/** docs/reference/gateway.md, from the errors and metrics themselves. */
export function renderGatewayReference(): string {
  const families = [...new GatewayRig().gateway.metrics.registry.families()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const parts = [
    "# Gateway: errors, limits, headers, metrics",
    "",
    "Written by `node scripts/make-cli-reference.ts` from the program itself.",
    "",
    "## Errors",
    "",
    "Of all answers that are the gateway's own. *Again*: what `x-should-retry` says, with the wait of `retry-after-ms` where it is yes (longer where the gateway knows better).",
    "After a stream's first byte the same code comes in the error event.",
    "",
    "| code | status | again | says |",
    "| --- | --- | --- | --- |",
    ...gatewayErrors().map(errorRow),
    "| what is wrong with the body: `invalid_json`, `duplicate_parameter`, `invalid_type`, `unsupported_parameter`, ... | 400 | no | `param` names the field |",
    "| what an engine refuses: `context_length_exceeded`, `invalid_value`, ... or `invalid_request` | 400, 404, 422 | no | our words around the engine's code; its text is not passed on |",
    ...FRONT.map(refusalOf).map(
      ({ status, code, message }) => `| \`${code}\` | ${status} | ${status === 408 ? "after 1000 ms" : "no"} | ${message} |`,
    ),
    "",
    "## Limits",
    "",
    "| what | limit | above it |",
    "| --- | --- | --- |",
    `| a request's body | ${mebibytes(BODY_BYTES_MAX)} | 413 \`body_too_large\` |`,
    "| a body with `content-encoding` | none but `identity` | 415 `unsupported_content_encoding` |",
    `| an answer in one piece | ${mebibytes(ANSWER_BYTES_MAX)} | 502 \`upstream_malformed\` |`,
    `| all bodies in memory | ${mebibytes(BODIES_BYTES_MAX)} | 503 \`gateway_full\` |`,
    `| requests that wait, of one service | ${HOLD_COUNT_MAX} and ${mebibytes(HOLD_BYTES_MAX)} | 503 \`hold_full\` |`,
    "| a request's head | 16 KiB | 431 `headers_too_large` |",
    "",
    "## Headers of answers",
    "",
    "| header | says |",
    "| --- | --- |",
    "| `x-request-id` | the client's own, where it can stand in a log, else a new one |",
    "| `x-tidegate-instance` | who served it; of a stream: who began it |",
    "| `x-tidegate-level` | the rung of that instance: `hot`, `warm`, `cold`; `degraded` where another model answered |",
    "| `x-tidegate-model` | that other model; only there |",
    "| `x-tidegate-attempts` | calls made until then |",
    "| `x-should-retry`, `retry-after-ms`, `retry-after` | of errors: whether to ask again, and when |",
    "",
    "A stream whose head went out with a comment, before anybody served it, has none of these but the id; another model is then told by the comments `: x-tidegate-level: degraded` and `: x-tidegate-model: NAME`.",
    "",
    ...valuesPart("How streams ended: `how` of `tidegate_stream_ends_total`", STREAM_ENDS),
    ...valuesPart("Second calls: `outcome` of `tidegate_hedges_total`", HEDGES),
    ...valuesPart("Calls to engines: `because` of `tidegate_attempts_total`", ATTEMPTS),
    "Retries are `retry`, moves of streams are in `tidegate_stream_move_seconds` by how they went on, what is kept for them is `tidegate_journal_bytes`; engines that are out are in the `tidegate_ejection...` metrics.",
    "",
    "## All metrics of the gateway",
    "",
    "On a listener of its own, loopback only: `--metrics-port` of a gateway's own start; `up` prints the address that it chose.",
    "",
    "| metric | kind | labels | says |",
    "| --- | --- | --- | --- |",
    ...families.map(metricRow),
  ];
  return `${parts.join("\n")}\n`;
}

const errorRow = ({ code, status, retry, message }: OpenAiError): string =>
  `| \`${code}\` | ${status} | ${retry.kind === "never" ? "no" : `after ${retry.delayMs} ms`} | ${message.replaceAll("|", "\\|")} |`;

const valuesPart = (title: string, meanings: Readonly<Record<string, string>>): readonly string[] => [
  `## ${title}`,
  "",
  "| value | means |",
  "| --- | --- |",
  ...Object.entries(meanings).map(([value, meaning]) => `| \`${value}\` | ${meaning} |`),
  "",
];

const metricRow = ({ name, type, labelNames, help }: MetricFamily): string =>
  `| \`${name}\` | ${type} | ${labelNames.join(", ")} | ${help.replaceAll("|", "\\|")} |`;

const mebibytes = (bytes: number): string => `${bytes / 1_048_576} MiB`;
