import { test } from "node:test";
import assert from "node:assert/strict";
import type { EndpointAddress } from "../api/route-table.ts";
import type { Exchange, ExchangeEvents, Handler, HttpFront, Listener } from "./http-front.ts";
import type { Call, CallFailure, Upstream, UpstreamRequest } from "./upstream.ts";

/** A front, an upstream that reaches it, and how their time passes. */
export interface SeamUnderTest {
  readonly front: HttpFront;
  readonly upstream: Upstream;
  /** Where the front may listen; port 0 = any. */
  readonly address: EndpointAddress;
  /** Waits for a fact, and lets virtual time pass meanwhile. */
  readonly until: <Value>(fact: Promise<Value>) => Promise<Value>;
  /** Lets everything happen that is on its way. */
  readonly settle: () => Promise<void>;
}

/** What every HttpFront promises; clients are an Upstream's calls. */
export function testHttpFrontContract(adapter: string, make: () => SeamUnderTest): void {
  testArrival(adapter, make);
  testEarlyAnswers(adapter, make);
  testGone(adapter, make);
  testListener(adapter, make);
}

function testArrival(adapter: string, make: () => SeamUnderTest): void {
  test(`${adapter} front: a request arrives as sent, its events after the handler's return`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, () => {});
    const body = new TextEncoder().encode("x".repeat(200_000));
    const headers = ["X-One", "1", "x-one", "2"];
    const call = startCall(seam.upstream, listener.address, { method: "POST", target: "/v1/x%2e?a=b", headers, body });
    const seen = await seam.until(inbox.first);
    await seam.until(seen.bodyEnded);
    answer(seen.exchange, 200, "ok");
    await seam.until(call.over);
    assert.deepEqual([seen.exchange.method, seen.exchange.target, seen.exchange.httpVersion], ["POST", "/v1/x%2e?a=b", "1.1"]);
    assert.deepEqual(pairsNamed(seen.exchange.headers, "x-one"), headers);
    assert.equal(seen.bodyText().length, 200_000);
    assert.deepEqual(seen.names(), ["body", "bodyEnd"]);
    assert.equal(seen.wasInsideHandler, false);
    await seam.until(listener.close(0));
  });

  test(`${adapter} front: a request without a body has an end of its body`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, () => {});
    const call = startCall(seam.upstream, listener.address, get("/"));
    const seen = await seam.until(inbox.first);
    await seam.until(seen.bodyEnded);
    answer(seen.exchange, 200, "ok");
    await seam.until(call.over);
    assert.deepEqual(seen.names(), ["bodyEnd"]);
    await seam.until(listener.close(0));
  });

  test(`${adapter} front: a head goes out although nothing follows yet`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, () => {});
    const call = startCall(seam.upstream, listener.address, get("/"));
    const { exchange } = await seam.until(inbox.first);
    exchange.head(200, ["x-a", "b"]);
    await seam.until(call.headed);
    assert.deepEqual([call.status(), call.isOver()], [200, false]);
    exchange.end();
    await seam.until(call.over);
    await seam.until(listener.close(0));
  });
}

function testEarlyAnswers(adapter: string, make: () => SeamUnderTest): void {
  test(`${adapter} front: answers that come before the body's end leave the connection fit for the next call`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, (exchange) => answer(exchange, 401, "no"));
    const request: UpstreamRequest = { method: "POST", target: "/", headers: [], body: new Uint8Array(100_000) };
    for (let count = 0; count < 20; count += 1) {
      const call = startCall(seam.upstream, listener.address, request);
      await seam.until(call.over);
      assert.deepEqual([call.names(), call.text()], [["head", "data", "end"], "no"]);
    }
    assert.equal(inbox.length, 20);
    await seam.until(listener.close(0));
  });

  test(`${adapter} front: paused body bytes wait, and an answer before the body's end ends the events`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, (exchange) => exchange.pauseBody());
    const call = startCall(seam.upstream, listener.address, { method: "POST", target: "/", headers: [], body: new Uint8Array(300_000) });
    const seen = await seam.until(inbox.first);
    await seam.settle();
    assert.ok(seen.bodyText().length < 300_000, "the body is held back");
    assert.equal(seen.names().includes("bodyEnd"), false);
    answer(seen.exchange, 413, "too large");
    const namesAtEnd = seen.names();
    seen.exchange.resumeBody();
    await seam.until(call.over);
    await seam.settle();
    assert.deepEqual(seen.names(), namesAtEnd);
    await seam.until(listener.close(0));
  });
}

function testGone(adapter: string, make: () => SeamUnderTest): void {
  test(`${adapter} front: no client goes after a complete answer`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, (exchange) => answer(exchange, 200, "ok"));
    const call = startCall(seam.upstream, listener.address, get("/"));
    await seam.until(call.over);
    await seam.until(listener.close(0));
    await seam.settle();
    assert.deepEqual(inbox[0]?.names(), [], "an answer inside the handler's call ends the events");
  });

  for (const phase of ["while it waits", "after the head", "in the middle of the answer"] as const) {
    test(`${adapter} front: a client that goes ${phase} is gone once, and later calls do nothing`, async () => {
      const seam = make();
      const { inbox, listener } = await serve(seam, () => {});
      const call = startCall(seam.upstream, listener.address, get("/"));
      const seen = await seam.until(inbox.first);
      if (phase !== "while it waits") {
        seen.exchange.head(200, []);
        if (phase === "in the middle of the answer") seen.exchange.write(new Uint8Array(10));
        await seam.until(call.headed);
      }
      await seam.settle();
      call.call.abort();
      await seam.until(seen.gone);
      seen.exchange.head(200, []);
      seen.exchange.write(new Uint8Array(10));
      seen.exchange.pauseBody();
      seen.exchange.resumeBody();
      seen.exchange.end();
      seen.exchange.abort();
      await seam.settle();
      assert.deepEqual(seen.names(), ["bodyEnd", "gone"]);
      await seam.until(listener.close(0));
    });
  }

  test(`${adapter} front: a handler that aborts hears nothing more`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, (exchange) => exchange.abort());
    const call = startCall(seam.upstream, listener.address, get("/"));
    await seam.until(call.over);
    await seam.settle();
    assert.deepEqual(inbox[0]?.names(), []);
    await seam.until(listener.close(0));
  });
}

function testListener(adapter: string, make: () => SeamUnderTest): void {
  test(`${adapter} front: an address that is taken is an error that names it`, async () => {
    const seam = make();
    const { listener } = await serve(seam, () => {});
    const second = await seam.front.listen(listener.address, () => assert.fail("nobody calls"));
    assert.deepEqual(second, { ok: false, error: { code: "ADDRESS_IN_USE", address: listener.address } });
    await seam.until(listener.close(0));
  });

  test(`${adapter} front: a closing listener lets an open exchange end and accepts no other`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, () => {});
    const call = startCall(seam.upstream, listener.address, get("/"));
    const seen = await seam.until(inbox.first);
    const closed = listener.close(5_000);
    await seam.settle();
    const late = startCall(seam.upstream, listener.address, get("/"));
    await seam.until(late.over);
    assert.deepEqual(late.failure(), { code: "REFUSED", sent: "none" });
    answer(seen.exchange, 200, "in time");
    await seam.until(Promise.all([call.over, closed]));
    assert.equal(call.text(), "in time");
    assert.equal(seen.names().includes("gone"), false);
  });

  test(`${adapter} front: a closing listener cuts what is still open after its grace`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, () => {});
    const call = startCall(seam.upstream, listener.address, get("/"));
    const seen = await seam.until(inbox.first);
    await seam.until(Promise.all([listener.close(1), seen.gone, call.over]));
    assert.equal(call.failure()?.sent, "all");
  });
}

/** One exchange as its handler saw it. */
export interface SeenExchange {
  readonly exchange: Exchange;
  readonly wasInsideHandler: boolean;
  readonly gone: Promise<void>;
  readonly drained: Promise<void>;
  readonly bodyEnded: Promise<void>;
  /** Names of the events in order, repeated `body` once. */
  names(): readonly string[];
  bodyText(): string;
}

export interface Inbox extends Array<SeenExchange> {
  first: Promise<SeenExchange>;
}

/** Serves by a handler that records each exchange and does `act` with it. */
export async function serve(
  seam: Pick<SeamUnderTest, "front" | "address">,
  act: (exchange: Exchange) => void,
): Promise<{ readonly inbox: Inbox; readonly listener: Listener }> {
  const first = Promise.withResolvers<SeenExchange>();
  const inbox: Inbox = Object.assign([], { first: first.promise });
  const handler: Handler = (exchange) => {
    const { seen, events, leave } = recordExchange(exchange);
    inbox.push(seen);
    act(exchange);
    first.resolve(seen);
    leave();
    return events;
  };
  const listening = await seam.front.listen(seam.address, handler);
  assert.ok(listening.ok);
  return { inbox, listener: listening.value };
}

function recordExchange(exchange: Exchange): { seen: SeenExchange; events: ExchangeEvents; leave: () => void } {
  const names: string[] = [];
  const pieces: Uint8Array[] = [];
  const [gone, drained, bodyEnded] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isInside = true;
  let wasInside = false;
  const note = (name: string): void => {
    wasInside ||= isInside;
    if (name !== "body" || names.at(-1) !== "body") names.push(name);
  };
  const events: ExchangeEvents = {
    body: (given) => (note("body"), void pieces.push(given)),
    bodyEnd: () => (note("bodyEnd"), bodyEnded.resolve()),
    drained: () => (note("drained"), drained.resolve()),
    gone: () => (note("gone"), gone.resolve()),
  };
  const seen: SeenExchange = {
    exchange,
    get wasInsideHandler() {
      return wasInside;
    },
    gone: gone.promise,
    drained: drained.promise,
    bodyEnded: bodyEnded.promise,
    names: () => [...names],
    bodyText: () => decode(pieces),
  };
  return { seen, events, leave: () => (isInside = false) };
}

/** One call as its caller saw it; data is copied when lent. */
export interface SeenCall {
  readonly call: Call;
  readonly headed: Promise<void>;
  readonly over: Promise<void>;
  readonly wasInsideCall: boolean;
  names(): readonly string[];
  status(): number | null;
  headers(): readonly string[];
  text(): string;
  failure(): CallFailure | null;
  isOver(): boolean;
}

export function startCall(upstream: Upstream, to: EndpointAddress, request: UpstreamRequest): SeenCall {
  const names: string[] = [];
  const pieces: Uint8Array[] = [];
  const [headed, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isInside = true;
  let wasInside = false;
  let head: { readonly status: number; readonly headers: readonly string[] } | null = null;
  let failure: CallFailure | null = null;
  const note = (name: string): void => {
    wasInside ||= isInside;
    if (name !== "data" || names.at(-1) !== "data") names.push(name);
  };
  const call = upstream.call(to, request, {
    head: (status, headers) => (note("head"), (head = { status, headers }), headed.resolve()),
    data: (lent) => (note("data"), void pieces.push(lent.slice())),
    end: () => (note("end"), over.resolve()),
    failed: (reason) => (note("failed"), (failure = reason), over.resolve()),
  });
  isInside = false;
  return {
    call,
    headed: headed.promise,
    over: over.promise,
    get wasInsideCall() {
      return wasInside;
    },
    names: () => [...names],
    status: () => head?.status ?? null,
    headers: () => head?.headers ?? [],
    text: () => decode(pieces),
    failure: () => failure,
    isOver: () => names.at(-1) === "end" || names.at(-1) === "failed",
  };
}

export const get = (target: string): UpstreamRequest => ({ method: "GET", target, headers: [], body: null });

export function answer(exchange: Exchange, status: number, text: string): void {
  const body = new TextEncoder().encode(text);
  exchange.head(status, ["content-type", "text/plain", "content-length", String(body.byteLength)]);
  exchange.write(body);
  exchange.end();
}

/** The pairs of that name, as sent, in order. */
export function pairsNamed(raw: readonly string[], name: string): readonly string[] {
  const pairs: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at]?.toLowerCase() === name) pairs.push(raw[at] ?? "", raw[at + 1] ?? "");
  }
  return pairs;
}

function decode(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode();
}
