import { checkedHandler, checkedUpstream } from "../adapters/checked-exchange.ts";
import { createSimulatedClock, type SimulatedClock } from "../adapters/clock/simulated.ts";
import { createSha256KeyDigest } from "../adapters/key-digest/sha256.ts";
import { createSeededRandom } from "../adapters/random/simulated.ts";
import type { DownMessage, UpMessage } from "../api/link-message.ts";
import type { EndpointAddress, RouteTable, RungEndpoint } from "../api/route-table.ts";
import { epoch, gatewayId, generation, instanceName, keyId, serviceName, tenantId, uid } from "../base/ids.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { LoggedEvent } from "../ports/event-log.ts";
import type { Exchange, ExchangeEvents } from "../ports/http-front.ts";
import type { GatewayLinkEvents } from "../ports/gateway-link.ts";
import type { GatewaySnapshot } from "../ports/gateway-memory.ts";
import type { Upstream } from "../ports/upstream.ts";
import { ScriptedEngine } from "./scripted-engine.ts";

const RIG_KEY = "tg-key-of-gold";

/** An endpoint at 127.0.0.1:`port`; the rest as a healthy hot instance. */
export function rigEndpoint(port: number, change: Partial<RungEndpoint> = {}): RungEndpoint {
  return {
    instance: instanceName(`gold-hot-${port}`),
    uid: uid(`uid-${port}`),
    generation: generation(1),
    address: { host: "127.0.0.1", port },
    engine: "simulated",
    upstreamModel: null,
    isReady: true,
    isAsleep: false,
    isWaking: false,
    weight: 50,
    maxBatch: 64,
    node: null,
    zone: null,
    fingerprint: "f",
    hasProgress: true,
    namesIds: true,
    ...change,
  };
}

export function rigTable(hot: readonly RungEndpoint[], change: Partial<RouteTable> = {}): RouteTable {
  return {
    uid: uid("service-gold"),
    epoch: epoch(1),
    revision: 1,
    service: serviceName("gold"),
    tenant: tenantId("tenant-gold"),
    tier: "gold",
    models: ["tide-8b"],
    contextLength: 8_192,
    rungs: [{ level: "hot", activation: { kind: "none" }, endpoints: hot }],
    serveFrom: "hot",
    returnPercent: 0,
    knownAnswer: null,
    priority: 0,
    grants: { descent: "automatic", movesLeft: 3 },
    degraded: [],
    overflow: { inFlightRatio: 0.9, queuedForMs: 100 },
    limits: { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, maxTokens: null },
    mirrorPercent: 0,
    rtoTargetMs: 15_000,
    ...change,
  };
}

/** A client's view of one exchange: what it sent, what it got. */
export class RigClient implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion = "1.1";
  readonly headers: readonly string[];
  readonly remoteAddress = "127.0.0.1";
  readonly arrivedAt: Exchange["arrivedAt"];
  readonly #clock: SimulatedClock;
  readonly #written: Buffer[] = [];
  status: number | null = null;
  answerHeaders: readonly string[] = [];
  end_: "open" | "ended" | "aborted" = "open";
  isGone = false;
  firstByteAt: number | null = null;
  endedAt: number | null = null;
  /** What `write` answers: false = the reader is slow. */
  hasRoom = true;
  events: ExchangeEvents | null = null;
  /** Called after each write. */
  onWrite: (() => void) | null = null;

  constructor(clock: SimulatedClock, ask: { method: string; target: string; headers: readonly string[] }) {
    this.#clock = clock;
    this.method = ask.method;
    this.target = ask.target;
    this.headers = ask.headers;
    this.arrivedAt = clock.monotonicMs();
  }

  pauseBody(): void {
    // The rig's bodies are there at once.
  }
  resumeBody(): void {
    // The rig's bodies are there at once.
  }
  head(status: number, headers: readonly string[]): void {
    if (this.status !== null) throw new Error("A second head.");
    this.status = status;
    this.answerHeaders = headers;
  }
  write(given: Uint8Array): boolean {
    if (this.status === null || this.end_ !== "open") throw new Error("A write outside the answer.");
    this.firstByteAt ??= this.#clock.monotonicMs();
    this.#written.push(Buffer.from(given));
    this.onWrite?.();
    return this.hasRoom;
  }
  end(): void {
    if (this.end_ !== "open") throw new Error("A second end.");
    this.end_ = "ended";
    this.endedAt = this.#clock.monotonicMs();
  }
  abort(): void {
    this.end_ = "aborted";
  }

  /** It closes its connection. */
  leave(): void {
    this.isGone = true;
    this.events?.gone();
  }

  get text(): string {
    return Buffer.concat(this.#written).toString("utf8");
  }
  header(name: string): string | null {
    const at = this.answerHeaders.findIndex((item, index) => index % 2 === 0 && item === name);
    return at === -1 ? null : (this.answerHeaders[at + 1] ?? null);
  }
  /** The tokens of a stream, or null when it did not end with `[DONE]`. */
  get wholeStream(): string | null {
    if (!this.text.endsWith("data: [DONE]\n\n") || this.end_ !== "ended") return null;
    return [...this.text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join("");
  }
}

/** A gateway on a virtual clock, with scripted engines, told its tables by hand. */
export class GatewayRig {
  readonly clock = createSimulatedClock(1_000);
  readonly engines = new Map<number, ScriptedEngine>();
  readonly sentUp: UpMessage[] = [];
  readonly log: LoggedEvent[] = [];
  readonly gateway: Gateway;
  saved: GatewaySnapshot | null;
  isDiskFull = false;
  loopLagMs = 0;
  #link: GatewayLinkEvents | null = null;

  /** @param upstreamOf the way to other engines than the scripted ones. */
  constructor(remembered: GatewaySnapshot | null = null, upstreamOf: ((clock: SimulatedClock) => Upstream) | null = null) {
    this.saved = remembered;
    this.gateway = createGateway(
      {
        clock: this.clock,
        random: createSeededRandom(7),
        host: { loopLagMs: () => this.loopLagMs, residentBytes: () => 0 },
        upstream: checkedUpstream(upstreamOf === null ? this.#upstream() : upstreamOf(this.clock)),
        link: {
          open: (_hello, events) => {
            this.#link = events;
          },
          send: (message) => this.sentUp.push(message) > 0,
          close: () => {
            this.#link = null;
          },
        },
        memory: {
          load: () => Promise.resolve(this.saved),
          save: (snapshot) => {
            if (!this.isDiskFull) this.saved = snapshot;
            return Promise.resolve(!this.isDiskFull);
          },
        },
        keyDigest: createSha256KeyDigest(),
        eventLog: { record: (event) => this.log.push(event) },
      },
      { id: gatewayId("gateway-0"), pid: 1 },
    );
  }

  engine(port: number): ScriptedEngine {
    const known = this.engines.get(port);
    if (known !== undefined) return known;
    const engine = new ScriptedEngine(this.clock);
    this.engines.set(port, engine);
    return engine;
  }

  tell(...messages: readonly DownMessage[]): void {
    for (const message of messages) this.#link?.message(message);
  }

  /** Starts the gateway with one tenant's key and these tables. */
  async start(...tables: readonly RouteTable[]): Promise<void> {
    await this.gateway.load();
    this.gateway.start({ host: "127.0.0.1", port: 8080 });
    this.tell(
      { type: "welcome", stateId: "state-1" },
      ...tables.map((table): DownMessage => ({ type: "table", table })),
      { type: "keys", keys: [{ hash: createSha256KeyDigest().digest(RIG_KEY), id: keyId("key-1"), tenant: tenantId("tenant-gold") }] },
      { type: "synced" },
    );
    await this.clock.advance(0);
  }

  /** @param change `isOpen`: its body goes on. */
  send(body: string | Buffer, change: { target?: string; method?: string; headers?: readonly string[]; isOpen?: boolean } = {}): RigClient {
    const client = new RigClient(this.clock, {
      method: change.method ?? "POST",
      target: change.target ?? "/v1/chat/completions",
      headers: change.headers ?? ["authorization", `Bearer ${RIG_KEY}`, "content-type", "application/json"],
    });
    client.events = checkedHandler(this.gateway.handler)(client);
    if (client.status === null && body.length > 0) client.events.body(Buffer.from(body));
    if (client.status === null && change.isOpen !== true) client.events.bodyEnd();
    return client;
  }

  chat(change: { stream?: boolean; [key: string]: unknown } = {}): RigClient {
    return this.send(JSON.stringify({ model: "tide-8b", stream: true, messages: [{ role: "user", content: "hi" }], ...change }));
  }

  ejections(): string[] {
    return this.sentUp.filter((message) => message.type === "ejected").map((message) => `${message.instance} ${message.cause}`);
  }

  #upstream(): Upstream {
    return { call: (to: EndpointAddress, request, events) => this.engine(to.port).call(request, events) };
  }
}
