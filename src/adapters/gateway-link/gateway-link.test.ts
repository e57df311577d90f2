import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import assert from "node:assert/strict";
import fc from "fast-check";
import { testGatewayLinkContract, type GatewayLinkUnderTest } from "../../ports/gateway-link-contract.ts";
import { gatewayId } from "../../base/ids.ts";
import type { GatewayHub, GatewayLink } from "../../ports/gateway-link.ts";
import { createSimulatedClock } from "../clock/simulated.ts";
import { createSystemClock } from "../clock/system.ts";
import { createInProcessLink } from "./in-process.ts";
import { LineSplitter } from "./line-splitter.ts";
import { createUnixGatewayHub } from "./unix-socket-hub.ts";
import { createUnixGatewayLink } from "./unix-socket-link.ts";

testGatewayLinkContract("in-process", async () => {
  const wire = createInProcessLink();
  return { hub: wire.hub, nextHub: () => wire.hub, newLink: () => wire.addLink(), dispose: () => wire.hub.close() };
});

testGatewayLinkContract("unix socket", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-link-"));
  const path = join(folder, "link.sock");
  const hubs: GatewayHub[] = [];
  const links: GatewayLink[] = [];
  const newHub = (): GatewayHub => {
    const hub = createUnixGatewayHub(path);
    hubs.push(hub);
    return hub;
  };
  const place: GatewayLinkUnderTest = {
    hub: newHub(),
    nextHub: newHub,
    newLink: () => {
      const link = createUnixGatewayLink(path, createSystemClock());
      links.push(link);
      return link;
    },
    dispose: async () => {
      for (const link of links) link.close();
      for (const hub of hubs) await hub.close();
      await rm(folder, { recursive: true });
    },
  };
  return place;
});

test("an in-process link is cut and restored for one gateway or for all", async () => {
  const wire = createInProcessLink();
  const joined: string[] = [];
  const left: string[] = [];
  await wire.hub.listen({
    joined: (gateway) => joined.push(gateway),
    message: () => assert.fail("nobody speaks"),
    left: (gateway) => left.push(gateway),
  });
  const heard = new Map<string, string[]>();
  for (const name of ["gateway-0", "gateway-1"]) {
    const words: string[] = [];
    heard.set(name, words);
    wire.addLink().open(
      { type: "hello", gateway: gatewayId(name), pid: 1, address: "http://127.0.0.1:8080" },
      {
        connected: () => words.push("connected"),
        message: ({ type }) => words.push(type),
        disconnected: () => words.push("disconnected"),
      },
    );
  }
  await nextTurn();
  wire.cut(gatewayId("gateway-1"));
  wire.hub.send(gatewayId("gateway-0"), { type: "synced" });
  wire.hub.send(gatewayId("gateway-1"), { type: "synced" });
  await nextTurn();
  assert.deepEqual(left, ["gateway-1"]);
  wire.restore(gatewayId("gateway-1"));
  wire.cut();
  await nextTurn();
  assert.deepEqual(joined, ["gateway-0", "gateway-1"]);
  wire.restore();
  await nextTurn();
  assert.deepEqual(joined, ["gateway-0", "gateway-1", "gateway-0", "gateway-1"]);
  assert.deepEqual(heard.get("gateway-0"), ["connected", "synced", "disconnected", "connected"]);
  assert.deepEqual(heard.get("gateway-1"), ["connected", "disconnected", "connected"]);
});

const nextTurn = (): Promise<void> => createSimulatedClock().advance(0);

const NO_EVENTS = {
  joined: () => assert.fail("nobody joins"),
  message: () => assert.fail("nobody speaks"),
  left: () => assert.fail("nobody leaves"),
};

test("a unix hub is for its owner alone, replaces a dead one's socket and refuses a living one's", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-hub-"));
  const path = join(folder, "link.sock");
  const first = createUnixGatewayHub(path);
  await first.listen(NO_EVENTS);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await assert.rejects(createUnixGatewayHub(path).listen(NO_EVENTS), /Another control plane listens/);
  await first.close();
  await rm(folder, { recursive: true });
});

for (const [name, bytes] of [
  ["no JSON", "GET / HTTP/1.1\r\n\r\n"],
  ["no hello first", '{"type":"counts","services":[]}\n'],
] as const) {
  test(`a unix hub cuts a peer that says ${name}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidegate-hub-"));
    const path = join(folder, "link.sock");
    const hub = createUnixGatewayHub(path);
    await hub.listen(NO_EVENTS);
    const peer = connect(path);
    peer.write(bytes);
    await once(peer, "close");
    assert.equal(peer.bytesRead, 0);
    await hub.close();
    await rm(folder, { recursive: true });
  });
}

test("a stream of lines is split the same wherever its chunks end", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(7), { minLength: 1 }), (texts, sizes) => {
      const lines = texts.map((text) => text.replaceAll("\n", "·"));
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
      const seen: string[] = [];
      const splitter = new LineSplitter((line) => seen.push(line));
      for (let from = 0, turn = 0; from < bytes.byteLength; turn += 1) {
        const size = 1 + (sizes[turn % sizes.length] ?? 0);
        assert.equal(splitter.push(bytes.subarray(from, from + size)), true);
        from += size;
      }
      assert.deepEqual(seen, lines);
    }),
  );
});

test("a line above the limit ends the stream, with or without its end", () => {
  const splitter = new LineSplitter(() => assert.fail("it is too long"), 8);
  assert.equal(splitter.push(Buffer.from("12345678")), true);
  assert.equal(splitter.push(Buffer.from("9")), false);
  assert.equal(new LineSplitter(() => assert.fail("it is too long"), 8).push(Buffer.from("123456789\n")), false);
});
