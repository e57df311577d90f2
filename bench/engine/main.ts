// What one engine process costs: CPU microseconds for each streamed token, under the load that one engine of the failover bench
// carries. Usage: node bench/engine/main.ts [seconds]; at most 20.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const REQUESTS_PER_SECOND = 75;
const TOKENS = 70;
const PROMPT_WORDS = 256;
const WARM_UP_SECONDS = 3;
const MEASURED_SECONDS_MAX = 20 - WARM_UP_SECONDS;
/** Linux counts the CPU time of processes in hundredths of a second. */
const TICK_MS = 10;

const ENTRY = fileURLToPath(new URL("../../src/cmd/engine.ts", import.meta.url));
const ARGUMENTS = ["--port", "0", "--weights-bytes", "100000000", "--memory-bytes", "10000000000", "--max-num-seqs", "256"];

interface Tally {
  streams: number;
  whole: number;
  chunks: number;
  readonly ttftMs: number[];
}

async function main(measuredSeconds: number): Promise<void> {
  const child = spawn(process.execPath, [ENTRY, ...ARGUMENTS], { stdio: ["ignore", "ignore", "pipe"] });
  try {
    const url = await readyUrl(child.stderr);
    const agent = new Agent({ keepAlive: true });
    await load(url, agent, WARM_UP_SECONDS);
    const startMs = cpuMs(child.pid ?? 0);
    const tally = await load(url, agent, measuredSeconds);
    const spentMs = cpuMs(child.pid ?? 0) - startMs;
    agent.destroy();
    report(tally, spentMs, measuredSeconds);
  } finally {
    child.kill("SIGKILL");
  }
}

function report(tally: Tally, spentMs: number, measuredSeconds: number): void {
  tally.ttftMs.sort((one, other) => one - other);
  const at = (share: number): string => (tally.ttftMs[Math.floor(share * (tally.ttftMs.length - 1))] ?? Number.NaN).toFixed(1);
  process.stdout.write(
    [
      `${tally.streams} streams, ${tally.whole} of them whole, ${tally.chunks} chunks in ${measuredSeconds} s`,
      `CPU of the engine process: ${((spentMs * 1_000) / tally.chunks).toFixed(1)} us a chunk, ${((spentMs / measuredSeconds) * 0.1).toFixed(1)} % of a core`,
      `first token: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
      "",
    ].join("\n"),
  );
}

async function readyUrl(stderr: NodeJS.ReadableStream): Promise<URL> {
  const lines = createInterface({ input: stderr });
  for (;;) {
    const [line]: unknown[] = await once(lines, "line");
    const url = /is ready on (\S+)/.exec(String(line))?.[1];
    if (url !== undefined) return new URL("/v1/completions", url);
  }
}

/** Open loop: requests leave at their time, whatever becomes of the ones before. */
async function load(url: URL, agent: Agent, seconds: number): Promise<Tally> {
  const tally: Tally = { streams: 0, whole: 0, chunks: 0, ttftMs: [] };
  const running: Promise<void>[] = [];
  const startMs = performance.now();
  for (let count = 0; count < seconds * REQUESTS_PER_SECOND; count += 1) {
    const waitMs = startMs + (count * 1_000) / REQUESTS_PER_SECOND - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    running.push(stream(url, agent, tally, count));
  }
  await Promise.all(running);
  return tally;
}

async function stream(url: URL, agent: Agent, tally: Tally, count: number): Promise<void> {
  const prompt = `Request ${count}:${" water".repeat(PROMPT_WORDS)}`;
  const body = JSON.stringify({ prompt, max_tokens: TOKENS, temperature: 0, ignore_eos: true, stream: true, return_token_ids: true });
  const sentMs = performance.now();
  const call = request(url, { method: "POST", agent, headers: { "content-type": "application/json" } });
  call.end(body);
  const [response] = (await once(call, "response")) as [IncomingMessage];
  let last = "";
  let hasFirst = false;
  for await (const bytes of response as AsyncIterable<Buffer>) {
    last = bytes.toString("latin1");
    tally.chunks += last.split("data: ").length - 1;
    if (!hasFirst) tally.ttftMs.push(performance.now() - sentMs);
    hasFirst = true;
  }
  tally.streams += 1;
  if (last.endsWith("data: [DONE]\n\n")) tally.whole += 1;
}

/** User and system time of a process. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

await main(Math.min(MEASURED_SECONDS_MAX, Number(process.argv[2] ?? 10)));
