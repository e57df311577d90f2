import assert from "node:assert/strict";
import test from "node:test";
import { monotonicMs } from "../base/ids.ts";
import { A, B, decide, describeAttempt, endpoint, hard, sleeping, soft, table, W, Z1, Z2, type AttemptCase } from "./fake-attempt.ts";
import { endpointKey } from "./health.ts";
import { REROUTES_MAX } from "./next-attempt.ts";

interface Case extends AttemptCase {
  readonly name: string;
  readonly expected: string;
}

const PREFIX = { tokens: 100, fingerprint: "", waitUntil: monotonicMs(30_000) };

const cases: readonly Case[] = [
  { name: "a new request goes to a hot endpoint", table: table([A, B]), expected: "send a hot first" },
  { name: "an ejected endpoint is passed over", table: table([A, B]), ejected: [A], expected: "send b hot first" },
  {
    name: "an endpoint that is not ready is passed over",
    table: table([endpoint("a", { isReady: false }), B]),
    expected: "send b hot first",
  },
  {
    name: "a saturated hot spills to the other",
    table: table([A, endpoint("b", { weight: 0 })]),
    busy: [[A, 9]],
    expected: "send b hot first",
  },
  { name: "below the ratio nothing spills", table: table([A, endpoint("b", { weight: 0 })]), busy: [[A, 8]], expected: "send a hot first" },
  { name: "saturated hots overflow to the ready warm", table: table([A], [W]), busy: [[A, 9]], expected: "send w warm first" },
  {
    name: "when all are saturated the shortest queue of the first rung takes it",
    table: table([A, B], [W]),
    busy: [
      [A, 20],
      [B, 12],
      [W, 9],
    ],
    expected: "send b hot first",
  },
  { name: "no hot leaves the ready warm", table: table([A], [W]), ejected: [A], expected: "send w warm first" },
  { name: "a held descent still uses a ready warm", table: table([A], [W], "held"), ejected: [A], expected: "send w warm first" },
  {
    name: "a hard death is re-routed without budget",
    table: table([A, B]),
    request: { failure: hard, tried: [endpointKey(A)] },
    canRetry: false,
    expected: "send b hot reroute",
  },
  {
    name: "a refused connection met no engine and is moved without bound or budget",
    table: table([A, B]),
    request: { failure: { isHard: true, code: "upstream_refused" }, reroutes: REROUTES_MAX, tried: [endpointKey(A)] },
    canRetry: false,
    expected: "send b hot reroute",
  },
  {
    name: "a re-route above the bound needs the retry budget",
    table: table([A, B]),
    request: { failure: hard, reroutes: REROUTES_MAX },
    canRetry: false,
    expected: "refuse upstream_lost",
  },
  {
    name: "a soft failure is retried elsewhere within the budget",
    table: table([A, B]),
    request: { failure: soft, tried: [endpointKey(A)] },
    expected: "send b hot retry",
  },
  {
    name: "a soft failure without budget is refused",
    table: table([A, B]),
    request: { failure: soft },
    canRetry: false,
    expected: "refuse upstream_error",
  },
  {
    name: "who failed the request is asked again only when nobody else is there",
    table: table([A]),
    request: { failure: soft, tried: [endpointKey(A)] },
    expected: "send a hot retry",
  },
  {
    name: "a lower rung is better than who failed the request",
    table: table([A], [W]),
    request: { failure: soft, tried: [endpointKey(A)] },
    expected: "send w warm retry",
  },
  { name: "with nobody ready a request is held until its deadline", table: table([A]), ejected: [A], now: 999, expected: "hold 1000" },
  {
    name: "at its deadline a held request is refused",
    table: table([A]),
    ejected: [A],
    now: 1_000,
    expected: "refuse no_endpoint after 1000",
  },
  { name: "a full hold queue refuses", table: table([A]), ejected: [A], canHold: false, expected: "refuse hold_full" },
  { name: "a lost service wakes who sleeps, and holds", table: sleeping(), ejected: [A], expected: "hold 1000, wake z1+z2 lost" },
  {
    name: "a wake is waited for beyond the hold",
    table: sleeping(),
    ejected: [A],
    request: { holdUntil: monotonicMs(0) },
    now: 500,
    expected: "hold 1500, wake z1+z2 lost",
  },
  {
    name: "while a wake runs a request is held for as long as it may take, and nobody is woken twice",
    table: sleeping(),
    ejected: [A],
    wakes: { begun: new Set([Z1, Z2].map(endpointKey)), wakingUntil: monotonicMs(3_000) },
    expected: "hold 3000",
  },
  { name: "held grants wake nobody", table: sleeping({ grants: { descent: "held", movesLeft: 0 } }), ejected: [A], expected: "hold 1000" },
  { name: "without moves nobody is woken", table: sleeping(), ejected: [A], wakes: { movesLeft: 0 }, expected: "hold 1000" },
  { name: "without a known answer nobody is woken", table: sleeping({ knownAnswer: null }), ejected: [A], expected: "hold 1000" },
  {
    name: "a gateway that suspects itself wakes nobody",
    table: sleeping(),
    ejected: [A],
    wakes: { isTrusted: false },
    expected: "hold 1000",
  },
  {
    name: "a rung that is the controller's is not woken",
    table: sleeping({}, "controller"),
    ejected: [A],
    expected: "hold 1000",
  },
  { name: "a full service wakes one beside itself", table: sleeping(), busy: [[A, 9]], expected: "send a hot first, wake z1 saturated" },
  {
    name: "a woken endpoint serves while its table calls it asleep",
    table: sleeping(),
    ejected: [A],
    woken: [Z2],
    expected: "send z2 warm first",
  },
  {
    name: "who was woken does not serve when its table says that it is neither asleep nor ready",
    table: sleeping({}, "wake", endpoint("z1", { isReady: false, weight: 0 })),
    ejected: [A],
    woken: [Z1],
    wakes: { movesLeft: 0 },
    expected: "hold 1000",
  },
  {
    name: "a newcomer waits behind those that are held for room",
    table: table([A]),
    busy: [[A, 9]],
    isQueueAhead: true,
    expected: "hold 1000",
  },
  { name: "with room a newcomer does not wait", table: table([A]), isQueueAhead: true, expected: "send a hot first" },
  {
    name: "the rung that traffic belongs to comes before a better one",
    table: { ...table([A], [W]), serveFrom: "warm" },
    expected: "send w warm first",
  },
  {
    name: "a saturated serving rung spills to the better one that has not soaked",
    table: { ...table([A], [W]), serveFrom: "warm" },
    busy: [[W, 9]],
    expected: "send a hot first",
  },
  {
    name: "the last degraded step sheds when the queue's time is over",
    table: { ...table([A]), degraded: [{ kind: "queue", upToMs: 1_000 }, { kind: "shed" }] },
    ejected: [A],
    now: 1_000,
    expected: "refuse shed after 1000",
  },
  { name: "a service that is gone refuses", table: null, expected: "refuse service_gone" },
  {
    name: "an answer that has begun goes on at another endpoint of the same fingerprint",
    request: { hasFirstByte: true, failure: hard, prefix: PREFIX, tried: [endpointKey(A)] },
    table: table([A, B]),
    expected: "continue b hot reroute",
  },
  {
    name: "it waits, and goes on at no endpoint of another fingerprint",
    request: { hasFirstByte: true, failure: hard, prefix: { ...PREFIX, fingerprint: "other" } },
    table: table([A, B]),
    expected: "hold 1000",
  },
  {
    name: "it does not go back to the endpoint that failed it",
    request: { hasFirstByte: true, failure: soft, prefix: PREFIX, tried: [endpointKey(A), endpointKey(B)] },
    table: table([A, B]),
    expected: "hold 1000",
  },
  {
    name: "after a soft failure it needs the budget of retries",
    request: { hasFirstByte: true, failure: soft, prefix: PREFIX, tried: [endpointKey(A)] },
    table: table([A, B]),
    canRetry: false,
    expected: "fail-stream upstream_error",
  },
  {
    name: "it waits while whoever could go on reads others' prompts",
    request: { hasFirstByte: true, failure: hard, prefix: PREFIX, tried: [endpointKey(A)] },
    table: table([A, B]),
    rereading: [B],
    expected: "hold 30000",
  },
  {
    name: "it does not wait longer than its client bears",
    request: { hasFirstByte: true, failure: hard, prefix: PREFIX, tried: [endpointKey(A)] },
    table: table([A, B]),
    rereading: [B],
    now: 30_000,
    expected: "fail-stream upstream_lost",
  },
  {
    name: "where nobody is left it waits as a new one would, and somebody is woken",
    request: { hasFirstByte: true, failure: hard, prefix: PREFIX, tried: [endpointKey(A)], holdUntil: monotonicMs(400) },
    table: sleeping(),
    ejected: [A],
    expected: "hold 1000, wake z1+z2 lost",
  },
  {
    name: "a quarantined one does not go on",
    request: { hasFirstByte: true, failure: hard, prefix: PREFIX, isQuarantined: true, tried: [endpointKey(A)] },
    table: table([A, B]),
    expected: "fail-stream upstream_lost",
  },
  {
    name: "after the first byte a stream fails, whoever is ready",
    table: table([A, B]),
    request: { hasFirstByte: true, failure: hard },
    expected: "fail-stream upstream_lost",
  },
];

for (const c of cases) test(`next attempt: ${c.name}`, () => assert.equal(describeAttempt(decide(c)), c.expected));
