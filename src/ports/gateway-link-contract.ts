import { test } from "node:test";
import assert from "node:assert/strict";
import { epoch, gatewayId, keyHash, keyId, tenantId, uid } from "../base/ids.ts";
import type { DownMessage, KeyEntry, UpMessage } from "../api/link-message.ts";
import type { GatewayHub, GatewayLink } from "./gateway-link.ts";

/** A control plane's place where hubs come and go, and the gateways that look for them there. */
export interface GatewayLinkUnderTest {
  readonly hub: GatewayHub;
  /** The hub of the next control plane at the same place. */
  readonly nextHub: () => GatewayHub;
  readonly newLink: () => GatewayLink;
  readonly dispose: () => Promise<void>;
}

const HELLO = { type: "hello", gateway: gatewayId("gateway-0"), pid: 7, address: "http://127.0.0.1:8080" } as const;
const WELCOME: DownMessage = { type: "welcome", stateId: "state-ä" };
const removed = (index: number): DownMessage => ({ type: "table-removed", uid: uid(`uid-${index}`) });

const keyEntry = (index: number): KeyEntry => ({
  hash: keyHash(String(index).padStart(64, "0")),
  id: keyId(`key-${index}`),
  tenant: tenantId("tenant-a"),
});

/** What every pair of GatewayHub and GatewayLink promises. */
export function testGatewayLinkContract(adapter: string, make: () => Promise<GatewayLinkUnderTest>): void {
  testMessages(adapter, make);
  testConnections(adapter, make);
}

function testMessages(adapter: string, make: () => Promise<GatewayLinkUnderTest>): void {
  test(`${adapter} link: a gateway says hello and gets what it is sent, in order`, async () => {
    const place = await make();
    const hub = new HubProbe();
    await place.hub.listen(hub.events);
    const link = new LinkProbe(place.newLink());
    await hub.saw("joined gateway-0 pid 7");
    place.hub.send(HELLO.gateway, WELCOME);
    for (let index = 0; index < 100; index += 1) place.hub.send(HELLO.gateway, removed(index));
    place.hub.send(HELLO.gateway, { type: "synced" });
    await link.saw('{"type":"synced"}');
    const expected = [WELCOME, ...Array.from({ length: 100 }, (_, index) => removed(index)), { type: "synced" }];
    assert.deepEqual(link.seen, ["connected", ...expected.map((message) => JSON.stringify(message))]);
    await place.dispose();
  });

  test(`${adapter} link: reports go up in order, and only while connected`, async () => {
    const place = await make();
    const link = new LinkProbe(place.newLink());
    assert.equal(link.link.send({ type: "counts", services: [] }), false);
    const hub = new HubProbe();
    await place.hub.listen(hub.events);
    await link.saw("connected");
    const reports: UpMessage[] = Array.from({ length: 50 }, (_, index) => ({
      type: "ack",
      uid: uid(`u${index}`),
      epoch: epoch(1),
      revision: index,
    }));
    for (const report of reports) assert.equal(link.link.send(report), true);
    await hub.saw(JSON.stringify(reports.at(-1)));
    assert.deepEqual(hub.seen, ["joined gateway-0 pid 7", ...reports.map((report) => JSON.stringify(report))]);
    await place.dispose();
  });

  test(`${adapter} link: a message of megabytes arrives whole, one to a stranger is dropped`, async () => {
    const place = await make();
    const hub = new HubProbe();
    await place.hub.listen(hub.events);
    const link = new LinkProbe(place.newLink());
    await hub.saw("joined gateway-0 pid 7");
    const large: DownMessage = { type: "keys", keys: Array.from({ length: 20_000 }, (_, index) => keyEntry(index)) };
    place.hub.send(gatewayId("nobody"), WELCOME);
    place.hub.send(HELLO.gateway, large);
    await link.saw(JSON.stringify(large));
    assert.equal(link.seen.length, 2);
    await place.dispose();
  });
}

function testConnections(adapter: string, make: () => Promise<GatewayLinkUnderTest>): void {
  test(`${adapter} link: a gateway outlives its control plane and says hello to the next`, async () => {
    const place = await make();
    const first = new HubProbe();
    await place.hub.listen(first.events);
    const link = new LinkProbe(place.newLink());
    await link.saw("connected");
    await first.saw("joined gateway-0 pid 7");
    await place.hub.close();
    await link.saw("disconnected");
    assert.equal(link.link.send({ type: "counts", services: [] }), false);
    const next = place.nextHub();
    const second = new HubProbe();
    await next.listen(second.events);
    await second.saw("joined gateway-0 pid 7");
    next.send(HELLO.gateway, WELCOME);
    await link.saw(JSON.stringify(WELCOME));
    assert.deepEqual(link.seen, ["connected", "disconnected", "connected", JSON.stringify(WELCOME)]);
    await place.dispose();
  });

  test(`${adapter} link: a gateway that closes has left, and hears nothing more`, async () => {
    const place = await make();
    const hub = new HubProbe();
    await place.hub.listen(hub.events);
    const link = new LinkProbe(place.newLink());
    await hub.saw("joined gateway-0 pid 7");
    await link.saw("connected");
    link.link.close();
    assert.equal(link.link.send({ type: "counts", services: [] }), false);
    await hub.saw("left gateway-0");
    place.hub.send(HELLO.gateway, WELCOME);
    assert.deepEqual(link.seen, ["connected"]);
    await place.dispose();
  });

  test(`${adapter} link: a gateway that comes twice replaces its first connection`, async () => {
    const place = await make();
    const hub = new HubProbe();
    await place.hub.listen(hub.events);
    const first = new LinkProbe(place.newLink());
    await hub.saw("joined gateway-0 pid 7");
    await first.saw("connected");
    const second = new LinkProbe(place.newLink(), 8);
    await hub.saw("joined gateway-0 pid 8");
    first.link.close();
    place.hub.send(HELLO.gateway, WELCOME);
    await second.saw(JSON.stringify(WELCOME));
    assert.deepEqual(hub.seen.slice(0, 3), ["joined gateway-0 pid 7", "left gateway-0", "joined gateway-0 pid 8"]);
    assert.equal(first.seen.includes(JSON.stringify(WELCOME)), false);
    await place.dispose();
  });
}

/** Notes what happens, and wakes those who wait for it. */
class Probe {
  readonly seen: string[] = [];
  #waiting: { readonly entry: string; readonly resolve: () => void }[] = [];

  note(entry: string): void {
    this.seen.push(entry);
    for (const waiter of this.#waiting) if (waiter.entry === entry) waiter.resolve();
    this.#waiting = this.#waiting.filter((waiter) => waiter.entry !== entry);
  }

  saw(entry: string): Promise<void> {
    if (this.seen.includes(entry)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ entry, resolve });
    });
  }
}

class HubProbe extends Probe {
  readonly events = {
    joined: (gateway: string, hello: { readonly pid: number }): void => this.note(`joined ${gateway} pid ${hello.pid}`),
    message: (_from: string, message: UpMessage): void => this.note(JSON.stringify(message)),
    left: (gateway: string): void => this.note(`left ${gateway}`),
  };
}

class LinkProbe extends Probe {
  readonly link: GatewayLink;

  constructor(link: GatewayLink, pid: number = HELLO.pid) {
    super();
    this.link = link;
    link.open(
      { ...HELLO, pid },
      {
        connected: () => this.note("connected"),
        message: (message) => this.note(JSON.stringify(message)),
        disconnected: () => this.note("disconnected"),
      },
    );
  }
}
