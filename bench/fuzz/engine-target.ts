import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createNodeHttpFront } from "../../src/adapters/http-front/node-http.ts";
import { createUndiciUpstream } from "../../src/adapters/upstream/undici.ts";
import type { EndpointAddress } from "../../src/api/route-table.ts";
import type { Gateway } from "../../src/gateway/gateway.ts";
import type { Listener } from "../../src/ports/http-front.ts";
import type { OutsideOrder, OutsideReport } from "./engine-outside.ts";
import { openGateway } from "./fuzz-gateway.ts";
import type { OpenTarget } from "./fuzz-target.ts";

const LANES = 4;

/** Engines that say anything: no crash, nothing of one tenant in the other's answer, and every request ends once, well-formed and in time. */
export const openEngineTarget: OpenTarget = async (watch) => {
  const outside = new Outside();
  const engines = await outside.open(LANES);
  const lanes = await Promise.all(engines.map((addresses) => Lane.start(addresses)));
  const free = lanes.map((_, index) => index);
  watch.watchTurns();
  return {
    corpus: corpus(),
    words: [
      "G",
      "HFTTED0",
      "|",
      "HFTT",
      "X",
      "R",
      "S\u0009",
      "N",
      "L",
      "V\u002a",
      "W\u0040",
      "GG",
      "I",
      "e",
      "A",
      "PPP",
      "C\u0006data: ",
      "B\u0004\r\n\r\n",
      "Q\u00ff",
      "Hct\u0003d\u00000",
      "d\u0001",
      "Z\u0090",
    ].map((word) => Buffer.from(word, "latin1")),
    inputBytesMax: 400,
    lanes: LANES,
    run: async (input) => {
      const index = free.pop();
      const lane = index === undefined ? undefined : lanes[index];
      if (index === undefined || lane === undefined) throw new Error("More inputs than lanes.");
      await lane.during(input, (port) => outside.run(index, port, input));
      free.push(index);
    },
    close: async () => {
      outside.close();
      for (const lane of lanes) await lane.close();
    },
  };
};

/** A front, and a new gateway for each input: nobody is still out for what the one before did. */
class Lane {
  readonly #engines: readonly EndpointAddress[];
  #listener: Listener | null = null;
  #gateway: Gateway | null = null;

  private constructor(engines: readonly EndpointAddress[]) {
    this.#engines = engines;
  }

  static async start(engines: readonly EndpointAddress[]): Promise<Lane> {
    const lane = new Lane(engines);
    const listening = await createNodeHttpFront().listen({ host: "127.0.0.1", port: 0 }, (exchange) => {
      if (lane.#gateway === null) throw new Error("A request came between two inputs.");
      return lane.#gateway.handler(exchange);
    });
    if (!listening.ok) throw new Error(listening.error.code);
    lane.#listener = listening.value;
    return lane;
  }

  async during(input: Buffer, act: (port: number) => Promise<void>): Promise<void> {
    const half = this.#engines.length / 2;
    const isShared = ((input[0] ?? 0) & 1) === 1;
    const own = isShared ? [this.#engines, this.#engines] : [this.#engines.slice(0, half), this.#engines.slice(half)];
    const gateway = await openGateway(createUndiciUpstream(), own);
    this.#gateway = gateway;
    gateway.start({ host: "127.0.0.1", port: 1 });
    try {
      await act(this.#listener?.address.port ?? 0);
    } finally {
      gateway.stop();
      this.#gateway = null;
    }
  }

  async close(): Promise<void> {
    await this.#listener?.close(0);
  }
}

/** The process of engines and clients. */
class Outside {
  readonly #child: ChildProcess = fork(fileURLToPath(new URL("engine-outside.ts", import.meta.url)), { serialization: "advanced" });
  readonly #running = new Map<number, PromiseWithResolvers<void>>();
  readonly #opened = Promise.withResolvers<readonly (readonly EndpointAddress[])[]>();

  constructor() {
    this.#child.on("message", (message) => {
      const report = message as OutsideReport;
      if (report.type === "opened") return this.#opened.resolve(report.engines);
      const running = this.#running.get(report.lane);
      if (report.error === null) running?.resolve();
      else running?.reject(new Error(report.error));
    });
    this.#child.on("exit", () => {
      const error = new Error("The process of engines and clients has ended.");
      this.#opened.reject(error);
      for (const { reject } of this.#running.values()) reject(error);
    });
  }

  /** @returns the engines of each lane */
  open(lanes: number): Promise<readonly (readonly EndpointAddress[])[]> {
    this.#order({ type: "open", lanes });
    return this.#opened.promise;
  }

  run(lane: number, port: number, input: Uint8Array): Promise<void> {
    const running = Promise.withResolvers<void>();
    this.#running.set(lane, running);
    this.#order({ type: "run", lane, port, input });
    return running.promise;
  }

  close(): void {
    this.#child.removeAllListeners("exit");
    this.#child.kill("SIGKILL");
  }

  #order(order: OutsideOrder): void {
    this.#child.send(order);
  }
}

/** Of each way to ask, scripts as their letters say. */
function corpus(): Buffer[] {
  const scripts = [
    "G|G|G|G",
    "HFTTED0|HFTTX|HFTTED0|G",
    "HFTTR|G|HTTED0|R",
    "N\u0000\u0001|G|N\u0001|N\u0003",
    "L\u0000\u0010|L\u0001\u0001X|G|G",
    "HFTTe|HFTI\u0002|G|G",
    "GG|GG|GG|GG",
    "HFTTED0HFTTED0|G|GB\u0010aaaaaaaaaaaaaaaa|G",
    "HFV\u002aX|HFTV\u0001D|HFW\u00ffED0|G",
    "KFPPX|KPR|G|G",
    "HFTS\u0018S\u0018TED0|HFS\u0018TX|G|G",
    "Y\u0040FTED0|HQ\u00ffFTED0|HFTA0|HD0",
    "||G|",
    "B\u0008SSH-2.0-X|HC\u0006data: T|h\u0003|Hh\u0002X",
    "Hct\u0003d\u00000|Hct\u0002X|Hcd\u0002|Ht\u0005R",
    "HFTZ\u00ffX|HFZ\u0080TED0|G|G",
  ];
  // Each script with engines of their own first, then with shared ones, then other ways to ask.
  return [0, 1, 0b01010, 0b11111, 0b100010, 0b101011, 0b1100000].flatMap((how) =>
    scripts.map((script) => Buffer.from(String.fromCharCode(how) + script, "latin1")),
  );
}
