import { test } from "node:test";
import assert from "node:assert/strict";
import { answer, get, pairsNamed, serve, startCall, type SeamUnderTest } from "./http-front-contract.ts";

/** What every Upstream promises, against a front that answers as told. */
export function testUpstreamContract(adapter: string, make: () => SeamUnderTest): void {
  testAnswers(adapter, make);
  testFailures(adapter, make);
  testFlow(adapter, make);
}

function testAnswers(adapter: string, make: () => SeamUnderTest): void {
  test(`${adapter} upstream: an answer comes as head, data, end, and not before call() returns`, async () => {
    const seam = make();
    const { listener } = await serve(seam, (exchange) => {
      exchange.head(201, ["X-Kind", "a", "x-kind", "b"]);
      exchange.write(new TextEncoder().encode("one "));
      exchange.write(new TextEncoder().encode("two"));
      exchange.end();
    });
    const call = startCall(seam.upstream, listener.address, get("/"));
    await seam.until(call.over);
    assert.deepEqual(call.names(), ["head", "data", "end"]);
    assert.equal(call.wasInsideCall, false);
    assert.equal(call.status(), 201);
    assert.deepEqual(pairsNamed(call.headers(), "x-kind"), ["X-Kind", "a", "x-kind", "b"]);
    assert.equal(call.text(), "one two");
    await seam.until(listener.close(0));
  });

  test(`${adapter} upstream: an error status and an empty answer are answers`, async () => {
    const seam = make();
    const { listener } = await serve(seam, (exchange) => {
      exchange.head(503, ["content-length", "0"]);
      exchange.end();
    });
    const call = startCall(seam.upstream, listener.address, get("/"));
    await seam.until(call.over);
    assert.deepEqual([call.names(), call.status()], [["head", "end"], 503]);
    await seam.until(listener.close(0));
  });

  test(`${adapter} upstream: 50 calls at once and 50 in turn get each its own answer`, async () => {
    const seam = make();
    const { listener } = await serve(seam, (exchange) => answer(exchange, 200, exchange.target));
    const together = Array.from({ length: 50 }, (_, index) => startCall(seam.upstream, listener.address, get(`/${index}`)));
    await seam.until(Promise.all(together.map((call) => call.over)));
    assert.deepEqual(
      together.map((call) => call.text()),
      together.map((_, index) => `/${index}`),
    );
    for (let index = 0; index < 50; index += 1) {
      const call = startCall(seam.upstream, listener.address, get(`/again-${index}`));
      await seam.until(call.over);
      assert.equal(call.text(), `/again-${index}`);
    }
    await seam.until(listener.close(0));
  });

  test(`${adapter} upstream: host, length and connection are the adapter's own`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, (exchange) => answer(exchange, 200, "ok"));
    const body = new TextEncoder().encode("{}");
    const call = startCall(seam.upstream, listener.address, { method: "POST", target: "/", headers: ["a", "b"], body });
    await seam.until(call.over);
    const headers = inbox[0]?.exchange.headers ?? [];
    assert.deepEqual(pairsNamed(headers, "host"), ["host", `${listener.address.host}:${listener.address.port}`]);
    assert.deepEqual(pairsNamed(headers, "content-length"), ["content-length", "2"]);
    await seam.until(listener.close(0));
  });
}

function testFailures(adapter: string, make: () => SeamUnderTest): void {
  test(`${adapter} upstream: a call where nobody listens is refused and nothing was sent`, async () => {
    const seam = make();
    const { listener } = await serve(seam, () => {});
    await seam.until(listener.close(0));
    const call = startCall(seam.upstream, listener.address, get("/"));
    await seam.until(call.over);
    await seam.settle();
    assert.deepEqual(call.names(), ["failed"]);
    assert.deepEqual(call.failure(), { code: "REFUSED", sent: "none" });
    assert.equal(call.wasInsideCall, false);
  });

  test(`${adapter} upstream: a connection that ends before the head fails the call, all sent`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, () => {});
    const call = startCall(seam.upstream, listener.address, { method: "POST", target: "/", headers: [], body: new Uint8Array(10) });
    const seen = await seam.until(inbox.first);
    await seam.until(seen.bodyEnded);
    seen.exchange.abort();
    await seam.until(call.over);
    await seam.settle();
    assert.deepEqual(call.names(), ["failed"]);
    assert.equal(call.failure()?.sent, "all");
    assert.match(call.failure()?.code ?? "", /^(CUT|RESET)$/);
    await seam.until(listener.close(0));
  });

  for (const headers of [[], ["content-length", "1000"]]) {
    test(`${adapter} upstream: an answer cut in its middle fails after what came (${headers[0] ?? "chunked"})`, async () => {
      const seam = make();
      const { inbox, listener } = await serve(seam, (exchange) => {
        exchange.head(200, headers);
        exchange.write(new TextEncoder().encode("half"));
      });
      const call = startCall(seam.upstream, listener.address, get("/"));
      const { exchange } = await seam.until(inbox.first);
      await seam.until(call.headed);
      await seam.settle();
      exchange.abort();
      await seam.until(call.over);
      await seam.settle();
      assert.deepEqual(call.names(), ["head", "data", "failed"]);
      assert.equal(call.text(), "half");
      assert.match(call.failure()?.code ?? "", /^(CUT|RESET)$/);
      await seam.until(listener.close(0));
    });
  }
}

function testFlow(adapter: string, make: () => SeamUnderTest): void {
  test(`${adapter} upstream: an aborted call hears nothing more and its handler learns of it`, async () => {
    const seam = make();
    const { inbox, listener } = await serve(seam, (exchange) => {
      exchange.head(200, []);
      exchange.write(new Uint8Array(5));
    });
    const call = startCall(seam.upstream, listener.address, get("/"));
    const seen = await seam.until(inbox.first);
    await seam.until(call.headed);
    await seam.settle();
    const namesBefore = call.names();
    call.call.abort();
    call.call.abort();
    call.call.pause();
    call.call.resume();
    await seam.until(seen.gone);
    await seam.settle();
    assert.deepEqual(call.names(), namesBefore);
    await seam.until(listener.close(0));
  });

  test(`${adapter} upstream: a call aborted at once hears nothing`, async () => {
    const seam = make();
    const { listener } = await serve(seam, (exchange) => answer(exchange, 200, "ok"));
    const call = startCall(seam.upstream, listener.address, get("/"));
    call.call.abort();
    const next = startCall(seam.upstream, listener.address, get("/"));
    await seam.until(next.over);
    await seam.settle();
    assert.deepEqual([call.names(), next.text()], [[], "ok"]);
    await seam.until(listener.close(0));
  });

  test(`${adapter} upstream: a paused call fills its writer up, and every byte arrives in order after resume`, async () => {
    const seam = make();
    const piece = new TextEncoder().encode("0123456789abcdef".repeat(4_096));
    const { inbox, listener } = await serve(seam, (exchange) => exchange.head(200, []));
    const call = startCall(seam.upstream, listener.address, get("/"));
    const seen = await seam.until(inbox.first);
    await seam.until(call.headed);
    call.call.pause();
    let writtenCount = 0;
    // Kernels buffer some megabytes on both sides of a real socket before the writer feels the reader.
    for (let hasRoom = true; hasRoom && writtenCount < 500; writtenCount += 1) {
      hasRoom = seen.exchange.write(piece);
      await seam.settle();
    }
    assert.ok(writtenCount < 500, "the writer is told to wait");
    const arrivedBytes = call.text().length;
    await seam.settle();
    assert.equal(call.text().length, arrivedBytes);
    call.call.resume();
    await seam.until(seen.drained);
    seen.exchange.end();
    await seam.until(call.over);
    const text = call.text();
    assert.equal(text.length, writtenCount * piece.byteLength);
    assert.ok(text === "0123456789abcdef".repeat(4_096 * writtenCount), "no byte is lost, doubled or moved");
    await seam.until(listener.close(0));
  });
}
