import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request, Agent } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { PROCESS_KEY, processEndpoint, processTable, speakAsControlPlane, startEntry, startQuickEngine, type Running } from "./gateway-processes.ts";
import { askForTakeOver, deskPath } from "./gateway/take-over-desk.ts";

interface World {
  readonly dataDir: string;
  readonly gateway: Running;
  readonly control: Awaited<ReturnType<typeof speakAsControlPlane>>;
  readonly port: number;
}

async function startWorld(t: TestContext, flags: readonly string[] = [], engineFlags: readonly string[] = []): Promise<World> {
  const dataDir = mkdtempSync(join(tmpdir(), "tidegate-take-over-"));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const after = (end: () => void): void => t.after(end);
  const engine = await startQuickEngine(engineFlags, after);
  const control = await speakAsControlPlane(join(dataDir, "link.sock"), processTable([processEndpoint(1, engine.url)]));
  t.after(() => control.hub.close());
  const gateway = await startEntry("gateway.ts", ["--data-dir", dataDir, "--port", "0", "--id", "gateway-0", ...flags], after);
  await control.told;
  return { dataDir, gateway, control, port: Number(new URL(gateway.url).port) };
}

/** Takes the gateway over, and has whoever serves then ended with the test. */
async function takeOver(t: TestContext, { dataDir }: World): Promise<number> {
  const taken = await askForTakeOver(dataDir, "gateway-0");
  assert.ok(taken.ok, taken.ok ? "" : taken.error.why);
  const pid = taken.value;
  t.after(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch (cause) {
      assert.equal(cause instanceof Error && "code" in cause && cause.code, "ESRCH");
    }
  });
  return pid;
}

interface Answer {
  readonly status: number;
  readonly connection: string | undefined;
  readonly text: string;
}

/** @throws what cut or refused it. */
function ask(port: number, more: { readonly maxTokens: number; readonly agent?: Agent; readonly begun?: () => void }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = { model: "tide-8b", messages: [{ role: "user", content: "How does the tide turn?" }], stream: true, max_tokens: more.maxTokens };
    const headers = { authorization: `Bearer ${PROCESS_KEY}`, "content-type": "application/json" };
    const agent = more.agent ?? new Agent({ keepAlive: false });
    const call = request({ host: "127.0.0.1", port, path: "/v1/chat/completions", method: "POST", headers, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (text.includes('"content"')) more.begun?.();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, text }));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(JSON.stringify(body));
  });
}

const isWhole = ({ status, text }: Answer): boolean => status === 200 && text.trimEnd().endsWith("data: [DONE]");

test("a successor takes a gateway's place: an open stream ends in the old process, new ones are the successor's, and nobody is refused", async (t) => {
  const world = await startWorld(t, [], ["--step-base-ms", "20"]);
  const begun = Promise.withResolvers<void>();
  const long = ask(world.port, { maxTokens: 60, begun: () => begun.resolve() });
  await begun.promise;
  let isOver = false;
  const answers: Promise<Answer>[] = [];
  const load = (async () => {
    while (!isOver) {
      const next = ask(world.port, { maxTokens: 2 });
      answers.push(next);
      await next;
    }
  })();
  const pid = await takeOver(t, world);
  assert.notEqual(pid, world.gateway.child.pid);
  isOver = true;
  await load;
  assert.ok(answers.length > 3);
  for (const answer of await Promise.all([...answers, long])) assert.ok(isWhole(answer), answer.text);
  assert.deepEqual(await world.gateway.exited, [0, null]);
  assert.ok(isWhole(await ask(world.port, { maxTokens: 2 })));
});
