import { test } from "node:test";
import assert from "node:assert/strict";
import { monotonicMs } from "../base/ids.ts";
import type { Exchange, ExchangeEvents, Handler } from "../ports/http-front.ts";
import type { CallEvents } from "../ports/upstream.ts";
import { checkedHandler, checkedUpstream } from "./checked-exchange.ts";

const calls: string[] = [];
const note = (call: string): void => void calls.push(call);
const exchange: Exchange = {
  method: "GET",
  target: "/",
  httpVersion: "1.1",
  headers: [],
  remoteAddress: "",
  arrivedAt: monotonicMs(0),
  pauseBody: () => note("pauseBody"),
  resumeBody: () => note("resumeBody"),
  head: () => note("head"),
  write: () => false,
  end: () => note("end"),
  abort: () => note("abort"),
};
const quiet: ExchangeEvents = {
  body: () => note("body"),
  bodyEnd: () => note("bodyEnd"),
  drained: () => note("drained"),
  gone: () => note("gone"),
};
const run = (act: (exchange: Exchange) => void): ExchangeEvents => {
  const handler: Handler = (one) => {
    act(one);
    return quiet;
  };
  return checkedHandler(handler)(exchange);
};
const bytes = new Uint8Array([1, 2, 3]);
const answered = (one: Exchange): void => {
  one.head(200, []);
  one.end();
};

test("a checked exchange passes a right order through", () => {
  calls.length = 0;
  const events = run((one) => {
    one.head(200, []);
    one.write(bytes);
  });
  events.body(bytes);
  events.bodyEnd();
  events.drained();
  events.gone();
  assert.deepEqual(calls, ["head", "body", "bodyEnd", "drained", "gone"]);
});

const mistakes: readonly { readonly name: string; readonly make: () => void }[] = [
  { name: "a second head", make: () => run((one) => (one.head(200, []), one.head(200, []))) },
  { name: "a write before the head", make: () => run((one) => one.write(bytes)) },
  { name: "an end before the head", make: () => run((one) => one.end()) },
  { name: "a write after the end", make: () => run((one) => (answered(one), one.write(bytes))) },
  { name: "a head with half a pair", make: () => run((one) => one.head(200, ["a"])) },
  { name: "a body after the answer's end", make: () => run(answered).body(bytes) },
  { name: "a drained that nobody waits for", make: () => run((one) => one.head(200, [])).drained() },
  { name: "a gone after an abort", make: () => run((one) => one.abort()).gone() },
  { name: "an empty piece of body", make: () => run((one) => one.head(200, [])).body(new Uint8Array(0)) },
  {
    name: "given bytes that change",
    make: () =>
      run((one) => {
        const mine = new Uint8Array([1]);
        one.head(200, []);
        one.write(mine);
        mine[0] = 2;
        one.write(bytes);
      }),
  },
  {
    name: "a given buffer that changes before the end",
    make: () =>
      run((one) => {
        const mine = Buffer.from([1]);
        one.head(200, []);
        one.write(mine);
        one.write(bytes);
        mine[0] = 2;
        one.end();
      }),
  },
  {
    name: "two ends of a body",
    make: () => {
      const events = run((one) => one.head(200, []));
      events.bodyEnd();
      events.bodyEnd();
    },
  },
  {
    name: "two goodbyes",
    make: () => {
      const events = run((one) => one.head(200, []));
      events.gone();
      events.gone();
    },
  },
];
for (const { name, make } of mistakes) test(`a checked exchange catches ${name}`, () => assert.throws(make, /Broken assumption/));

const silent: CallEvents = { head: () => note("head"), data: () => note("data"), end: () => note("end"), failed: () => note("failed") };
const callMistakes: readonly { readonly name: string; readonly isInside?: boolean; readonly make: (events: CallEvents) => void }[] = [
  { name: "an event inside call()", isInside: true, make: (events) => events.head(200, []) },
  { name: "data before the head", make: (events) => events.data(bytes) },
  { name: "two heads", make: (events) => (events.head(200, []), events.head(200, [])) },
  { name: "an end after a failure", make: (events) => (events.failed({ code: "CUT", sent: "all" }), events.end()) },
  { name: "an end before the head", make: (events) => events.end() },
];
for (const { name, isInside = false, make } of callMistakes) {
  test(`a checked upstream catches ${name}`, () => {
    let inner: CallEvents = silent;
    const upstream = checkedUpstream({
      call: (_to, _request, events) => {
        inner = events;
        if (isInside) make(events);
        return { pause: () => note("pause"), resume: () => note("resume"), abort: () => note("abort") };
      },
    });
    const call = (): void => void upstream.call({ host: "a", port: 1 }, { method: "GET", target: "/", headers: [], body: null }, silent);
    if (isInside) assert.throws(call, /Broken assumption/);
    else {
      call();
      assert.throws(() => make(inner), /Broken assumption/);
    }
  });
}
