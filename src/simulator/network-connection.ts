import type { SimulatedClock } from "../adapters/clock/simulated.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import type { JsonObject } from "../base/json.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Exchange, ExchangeEvents, Handler } from "../ports/http-front.ts";
import type { Random } from "../ports/random.ts";
import type { Call, CallEvents, CallFailure, UpstreamRequest } from "../ports/upstream.ts";
import { Lane } from "./network-lane.ts";

/** How a connection ends before its answer does: by FIN or by RST. */
export type ConnectionEnd = "CUT" | "RESET";

/** What a connection needs of the network; `other` is the party at the far end. */
export interface ConnectionGround {
  readonly id: number;
  readonly clock: SimulatedClock;
  readonly random: Random;
  listenerAt(): { readonly party: string; readonly handler: Handler } | null;
  /** Who listens there, or did so last: its host says no for it. null = nobody ever did. */
  hostAt(): string | null;
  isPartitioned(other: string): boolean;
  isHeld(other: string): boolean;
  frameDelayMs(other: string): number;
  areTogether(): boolean;
  isFrameCut(other: string): boolean;
  /** Gives a copy of these bytes, good for that call only. */
  lend(bytes: Uint8Array, to: (lent: Uint8Array) => void): void;
  /** null = nobody keeps a log. */
  readonly log: EventLog | null;
  closed(connection: SimulatedConnection): void;
}

export interface ConnectionCall {
  readonly from: string;
  readonly to: EndpointAddress;
  readonly request: UpstreamRequest;
  readonly events: CallEvents;
}

const CONNECT_TIMEOUT_MS = 1_000;
/** Bytes under way and unread at which a writer is told to wait. */
const WINDOW_BYTES = 64 * 1_024;
const WRITE_STALL_MS = 30_000;

/** One call and its exchange: the caller's events at one end, the handler's at the other, a lane each way. */
export class SimulatedConnection {
  readonly #ground: ConnectionGround;
  readonly #call: ConnectionCall;
  readonly #up: Lane;
  readonly #down: Lane;
  /** Party that listens; null before the connection stands. */
  #callee: string | null = null;
  #calleeEvents: ExchangeEvents | null = null;
  #isCallerOver = false;
  #isCalleeOver = false;
  #isCalleeEnded = false;
  #isGoneSent = false;
  #isFull = false;
  #sent: CallFailure["sent"] = "none";

  constructor(ground: ConnectionGround, call: ConnectionCall) {
    this.#ground = ground;
    this.#call = call;
    const rules = {
      isHeld: () => ground.isHeld(this.#callee ?? ""),
      delayMs: () => ground.frameDelayMs(this.#callee ?? ""),
      areTogether: () => ground.areTogether(),
    };
    this.#up = new Lane(ground.clock, rules);
    this.#down = new Lane(ground.clock, rules);
  }

  start(): Call {
    const { from, to, request } = this.#call;
    this.#record("network.call", { from, to: `${to.host}:${to.port}`, method: request.method, target: request.target });
    this.#ground.clock.after(this.#ground.frameDelayMs(this.#ground.listenerAt()?.party ?? ""), () => this.#connect());
    return {
      pause: () => this.#down.pause(),
      resume: () => this.#down.resume(),
      abort: () => this.#abort(),
    };
  }

  isAt(address: EndpointAddress): boolean {
    return this.#call.to.host === address.host && this.#call.to.port === address.port && this.#callee !== null;
  }

  /** Accepted, and not over at either end. */
  isBetween(caller: string, listener: string): boolean {
    return this.#call.from === caller && this.#callee === listener && !this.#isCallerOver && !this.#isCalleeOver;
  }

  wake(): void {
    this.#up.wake();
    this.#down.wake();
  }

  /** A process at either end is gone: its side falls silent, the other one sees the connection end. */
  partyDied(party: string, end: ConnectionEnd): void {
    if (party === this.#call.from) {
      this.#isCallerOver = true;
      this.#down.clear();
      this.#tellCalleeGone();
    }
    if (party === this.#callee && !this.#isCalleeOver) {
      this.#isCalleeOver = true;
      this.#up.clear();
      // Bytes that the kernel had taken still arrive before a FIN, and are thrown away by an RST.
      if (end === "RESET") this.#down.clear();
      this.#down.send(0, true, () => this.#failCaller(end));
    }
    this.#closeIfOver();
  }

  cutByListener(): void {
    this.#tellCalleeGone();
    this.#down.send(0, true, () => this.#failCaller("CUT"));
  }

  #connect(): void {
    if (this.#isCallerOver) return this.#ground.closed(this);
    const listener = this.#ground.listenerAt();
    const host = this.#ground.hostAt();
    // Nor does the host's refusal come through a partition.
    if (host !== null && this.#ground.isPartitioned(host)) {
      this.#ground.clock.after(CONNECT_TIMEOUT_MS, () => this.#failCaller("CONNECT_TIMEOUT"));
      return;
    }
    if (listener === null) {
      this.#ground.clock.after(this.#ground.frameDelayMs(""), () => this.#failCaller("REFUSED"));
      return;
    }
    this.#callee = listener.party;
    this.#sent = "some";
    this.#sendRequest(listener.handler);
  }

  #sendRequest(handler: Handler): void {
    const { body } = this.#call.request;
    this.#up.send(0, false, () => {
      if (this.#isCalleeOver) return;
      this.#record("network.request", { to: this.#callee });
      this.#calleeEvents = handler(this.#exchange());
    });
    for (const piece of this.#split(body ?? new Uint8Array(0))) {
      this.#up.send(piece.byteLength, false, () => this.#toCallee((events) => events.body(piece)));
    }
    this.#up.send(0, false, () => {
      this.#sent = "all";
      this.#toCallee((events) => events.bodyEnd());
    });
    // What fits into the system's buffer has left the process.
    if ((body?.byteLength ?? 0) <= WINDOW_BYTES) this.#sent = "all";
  }

  #exchange(): Exchange {
    const { from, to, request } = this.#call;
    const length = request.body === null ? [] : ["content-length", String(request.body.byteLength)];
    return {
      method: request.method,
      target: request.target,
      httpVersion: "1.1",
      headers: ["host", `${to.host}:${to.port}`, ...request.headers, ...length],
      remoteAddress: from,
      arrivedAt: this.#ground.clock.monotonicMs(),
      pauseBody: () => {
        if (!this.#isGoneSent) this.#up.pause();
      },
      resumeBody: () => this.#up.resume(),
      head: (status, headers) => this.#fromCallee(0, () => this.#callerHead(status, headers)),
      write: (given) => this.#write(given),
      end: () => {
        this.#fromCallee(0, () => this.#callerEnd());
        this.#isCalleeEnded = true;
      },
      abort: () => {
        if (this.#isCalleeOver) return;
        this.#isCalleeOver = true;
        this.#down.send(0, true, () => this.#failCaller("CUT"));
      },
    };
  }

  #write(given: Uint8Array): boolean {
    if (this.#isCalleeOver) return true;
    for (const piece of this.#split(given)) this.#fromCallee(piece.byteLength, () => this.#callerData(piece));
    if (this.#down.queuedBytes < WINDOW_BYTES) return true;
    if (!this.#isFull) this.#watchStall(this.#down.queuedBytes);
    this.#isFull = true;
    return false;
  }

  /** As the real front does: a reader that takes nothing is cut. */
  #watchStall(queuedBytes: number): void {
    this.#ground.clock.after(WRITE_STALL_MS, () => {
      if (!this.#isFull || this.#isCalleeOver) return;
      if (this.#down.queuedBytes < queuedBytes) return this.#watchStall(this.#down.queuedBytes);
      this.#down.clear();
      this.cutByListener();
    });
  }

  #fromCallee(bytes: number, deliver: () => void): void {
    if (this.#isCalleeOver || this.#isCalleeEnded) return;
    this.#down.send(bytes, false, () => {
      if (this.#isCallerOver) return;
      if (this.#ground.isFrameCut(this.#callee ?? "")) return this.#cutUnderWay();
      deliver();
      this.#tellDrained();
    });
  }

  #cutUnderWay(): void {
    const end: ConnectionEnd = this.#ground.random.next() < 0.5 ? "CUT" : "RESET";
    this.#down.clear();
    this.#tellCalleeGone();
    this.#failCaller(end);
  }

  #tellDrained(): void {
    if (!this.#isFull || this.#down.queuedBytes > WINDOW_BYTES / 2) return;
    this.#isFull = false;
    this.#ground.clock.after(0, () => {
      this.#toCallee((events) => events.drained());
    });
  }

  #callerHead(status: number, headers: readonly string[]): void {
    this.#record("network.head", { status });
    this.#call.events.head(status, headers);
  }

  #callerData(piece: Uint8Array): void {
    this.#record("network.data", { bytes: piece.byteLength });
    this.#ground.lend(piece, (lent) => this.#call.events.data(lent));
  }

  #callerEnd(): void {
    this.#record("network.end", {});
    this.#isCallerOver = true;
    this.#isCalleeOver = true;
    this.#closeIfOver();
    this.#call.events.end();
  }

  #failCaller(code: CallFailure["code"]): void {
    if (this.#isCallerOver) return;
    this.#record("network.failed", { code, sent: this.#sent });
    this.#isCallerOver = true;
    this.#tellCalleeGone();
    this.#closeIfOver();
    this.#call.events.failed({ code, sent: this.#sent });
  }

  #abort(): void {
    if (this.#isCallerOver) return;
    this.#record("network.abort", {});
    this.#isCallerOver = true;
    this.#down.clear();
    this.#tellCalleeGone();
    this.#closeIfOver();
  }

  /** The callee sees the end of the connection after what had been sent to it. */
  #tellCalleeGone(): void {
    if (this.#callee === null) {
      this.#isCalleeOver = true;
      return;
    }
    if (this.#isCalleeOver || this.#isGoneSent) return;
    this.#isGoneSent = true;
    this.#up.resume();
    this.#up.send(0, true, () => {
      if (this.#isCalleeOver) return;
      this.#isCalleeOver = true;
      this.#record("network.gone", { at: this.#callee });
      this.#closeIfOver();
      this.#calleeEvents?.gone();
    });
  }

  #toCallee(tell: (events: ExchangeEvents) => void): void {
    if (!this.#isCalleeOver && !this.#isCalleeEnded && this.#calleeEvents !== null) tell(this.#calleeEvents);
  }

  #closeIfOver(): void {
    if (this.#isCallerOver && this.#isCalleeOver) this.#ground.closed(this);
  }

  /** TCP keeps no boundaries: one write may arrive as two. */
  #split(bytes: Uint8Array): readonly Uint8Array[] {
    if (bytes.byteLength === 0) return [];
    if (bytes.byteLength === 1 || this.#ground.random.next() >= 0.1) return [bytes];
    const at = 1 + Math.floor(this.#ground.random.next() * (bytes.byteLength - 1));
    return [bytes.subarray(0, at), bytes.subarray(at)];
  }

  #record(event: string, fields: JsonObject): void {
    const { log, clock, id } = this.#ground;
    if (log !== null) log.record({ level: "debug", event, fields: { atMs: clock.monotonicMs(), call: id, ...fields } });
  }
}
