// A reporter for node --test: names every test over its limit, and fails the run. A slow test hides a sleep.

interface Finished {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly file?: string;
    readonly details?: { readonly duration_ms: number; readonly type?: string };
  };
}

const LIMIT_MS = 10_000;
// Tests of real processes start a whole platform.
const PROCESS_LIMIT_MS = 60_000;
const startsProcesses = /(?:^|\/)(?:test|src\/cmd|src\/simulator|src\/adapters\/(?:cluster-store|engine-launcher|gpu-driver|process))\//;

export default async function* reportSlowTests(events: AsyncIterable<Finished>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.details === undefined || data.details.type === "suite") continue;
    if (data.file === data.name) continue;
    const limitMs = startsProcesses.test(data.file ?? "") ? PROCESS_LIMIT_MS : LIMIT_MS;
    if (data.details.duration_ms <= limitMs) continue;
    process.exitCode = 1;
    yield `SLOW ${data.name}: ${Math.round(data.details.duration_ms)} ms, allowed ${limitMs} ms (${data.file ?? "?"})\n`;
  }
}
