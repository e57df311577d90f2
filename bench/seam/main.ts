// CPU time of the request seam alone: node:http front + undici upstream, no gateway between. `node bench/seam/main.ts`, under 30 s.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { createNodeHttpFront } from "../../src/adapters/http-front/node-http.ts";
import { createUndiciUpstream } from "../../src/adapters/upstream/undici.ts";
import type { EndpointAddress } from "../../src/api/route-table.ts";
import type { Exchange, ExchangeEvents } from "../../src/ports/http-front.ts";
import type { Upstream } from "../../src/ports/upstream.ts";

const CONNECTIONS = 32;
const WARM_UP_MS = 3_000;
const MEASURE_MS = 6_000;
const CHUNKS = 64;
const HOST = "127.0.0.1";

/** Answers by canned bytes: what it costs is not measured. */
function runEngine(): void {
  const json = JSON.stringify({ text: "x".repeat(588) });
  const whole = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`);
  const head = Buffer.from("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  const event = `data: ${"x".repeat(197)}\n\n`;
  const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`);
  const server = createServer({ noDelay: true }, (socket) => {
    const stream = (left: number): void => {
      if (left === 0) socket.write("0\r\n\r\n");
      else {
        socket.write(chunk);
        setImmediate(stream, left - 1);
      }
    };
    // A request of the bench fits into one segment, and the client waits for each answer.
    socket.on("data", (bytes: Buffer) => {
      if (!bytes.includes("/stream")) return void socket.write(whole);
      socket.write(head);
      stream(CHUNKS);
    });
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, HOST, () => {
    const bound = server.address();
    if (typeof bound === "object" && bound !== null) process.stdout.write(`${bound.port}\n`);
  });
}

async function runProxy(engine: EndpointAddress): Promise<void> {
  const upstream = createUndiciUpstream();
  const counted = { requests: 0, chunks: 0 };
  const listening = await createNodeHttpFront().listen({ host: HOST, port: 0 }, (exchange) => {
    if (exchange.target === "/cpu") return tell(exchange, JSON.stringify({ ...counted, ...process.cpuUsage() }));
    counted.requests += 1;
    return pass(exchange, engine, upstream, counted);
  });
  if (!listening.ok) throw new Error(listening.error.code);
  process.stdout.write(`${listening.value.address.port}\n`);
}

function pass(exchange: Exchange, engine: EndpointAddress, upstream: Upstream, counted: { chunks: number }): ExchangeEvents {
  const pieces: Uint8Array[] = [];
  let call = { pause: () => {}, resume: () => {}, abort: () => {} };
  return {
    body: (given) => void pieces.push(given),
    bodyEnd: () => {
      const body = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
      const request = { method: "POST", target: exchange.target, headers: ["content-type", "application/json"], body } as const;
      call = upstream.call(engine, request, {
        head: (status, headers) => exchange.head(status, endToEnd(headers)),
        data: (lent) => {
          counted.chunks += 1;
          if (!exchange.write(lent.slice())) call.pause();
        },
        end: () => exchange.end(),
        failed: () => exchange.abort(),
      });
    },
    drained: () => call.resume(),
    gone: () => call.abort(),
  };
}

function endToEnd(raw: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? "").toLowerCase();
    if (name === "content-type" || name === "content-length") kept.push(name, raw[at + 1] ?? "");
  }
  return kept;
}

function tell(exchange: Exchange, text: string): ExchangeEvents {
  const nothing = (): void => {};
  exchange.head(200, []);
  exchange.write(Buffer.from(text));
  exchange.end();
  return { body: nothing, bodyEnd: nothing, drained: nothing, gone: nothing };
}

interface Usage {
  readonly requests: number;
  readonly chunks: number;
  readonly user: number;
  readonly system: number;
}

async function runClient(): Promise<void> {
  const engine = await start("engine", "");
  const proxy = await start("proxy", String(engine.port));
  const upstream = createUndiciUpstream();
  const to = { host: HOST, port: proxy.port };
  const usage = async (): Promise<Usage> => JSON.parse(await call(upstream, to, "/cpu"));
  for (const [name, target] of [
    ["JSON answer of 600 B", "/whole"],
    [`SSE of ${CHUNKS} chunks`, "/stream"],
  ] as const) {
    await load(upstream, to, target, WARM_UP_MS);
    const before = await usage();
    await load(upstream, to, target, MEASURE_MS);
    const after = await usage();
    const requests = after.requests - before.requests;
    const cpuMicroseconds = after.user + after.system - before.user - before.system;
    const chunks = (after.chunks - before.chunks) / requests;
    const perSecond = Math.round(requests / (MEASURE_MS / 1_000));
    console.log(
      `${name}: ${Math.round(cpuMicroseconds / requests)} CPU us per request (${perSecond} requests/s, ${chunks.toFixed(1)} pieces each, ${CONNECTIONS} connections)`,
    );
  }
  proxy.child.kill();
  engine.child.kill();
}

async function start(part: string, argument: string): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), part, argument], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  return { child, port: Number(String(line)) };
}

async function load(upstream: Upstream, to: EndpointAddress, target: string, durationMs: number): Promise<void> {
  const untilMs = performance.now() + durationMs;
  const one = async (): Promise<void> => {
    while (performance.now() < untilMs) await call(upstream, to, target);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

const BODY = Buffer.from(JSON.stringify({ prompt: "x".repeat(1_000) }));

function call(upstream: Upstream, to: EndpointAddress, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    const request = { method: "POST", target, headers: ["content-type", "application/json"], body: BODY } as const;
    upstream.call(to, request, {
      head: (status) => (status === 200 ? null : reject(new Error(`status ${status}`))),
      data: (lent) => void pieces.push(lent.slice()),
      end: () => resolve(Buffer.concat(pieces).toString()),
      failed: (failure) => reject(new Error(failure.code)),
    });
  });
}

const [role, enginePort] = process.argv.slice(2);
// A part ends with the bench, however that ends.
if (role !== undefined) process.stdin.once("close", () => process.exit()).resume();
if (role === "engine") runEngine();
else if (role === "proxy") await runProxy({ host: HOST, port: Number(enginePort) });
else await runClient();
