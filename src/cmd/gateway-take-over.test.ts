import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { Agent as TlsAgent, request as requestTls } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { test, type TestContext } from "node:test";
import {
  ownFolder,
  PROCESS_KEY,
  processEndpoint,
  processTable,
  speakAsControlPlane,
  startEntry,
  startQuickEngine,
  type After,
  type Running,
  type SpeakingControlPlane,
} from "./gateway-processes.ts";
import { askForTakeOver, deskPath } from "./gateway/take-over-desk.ts";

interface World {
  readonly dataDir: string;
  readonly after: After;
  readonly gateway: Running;
  readonly control: SpeakingControlPlane;
  readonly port: number;
  readonly isTls: boolean;
}

interface Setting {
  readonly flags?: readonly string[];
  readonly engineFlags?: readonly string[];
  readonly isTls?: boolean;
}

const FIXTURES = join(import.meta.dirname, "..", "..", "test", "fixtures", "tls");

async function startWorld(t: TestContext, { flags = [], engineFlags = [], isTls = false }: Setting = {}): Promise<World> {
  const { dataDir, after } = ownFolder(t, "tidegate-take-over-");
  const engine = await startQuickEngine(engineFlags, after);
  const control = await speakAsControlPlane(join(dataDir, "link.sock"), processTable([processEndpoint(1, engine.url)]));
  after(() => control.hub.close());
  if (isTls) useCertificate(dataDir, "one");
  const tlsFlags = isTls ? ["--tls-cert", join(dataDir, "tls.pem"), "--tls-key", join(dataDir, "tls.key")] : [];
  const gateway = await startEntry("gateway.ts", ["--data-dir", dataDir, "--port", "0", ...tlsFlags, ...flags], after);
  await control.told;
  return { dataDir, after, gateway, control, isTls, port: Number(new URL(gateway.url).port) };
}

function useCertificate(dataDir: string, name: "one" | "two"): void {
  copyFileSync(join(FIXTURES, `${name}.key`), join(dataDir, "tls.key"));
  chmodSync(join(dataDir, "tls.key"), 0o600);
  copyFileSync(join(FIXTURES, `${name}.pem`), join(dataDir, "tls.pem"));
}

/** Takes the gateway over, and has whoever serves then ended with the test. */
async function takeOver({ dataDir, after }: World): Promise<number> {
  const taken = await askForTakeOver(dataDir, "gateway-0");
  assert.ok(taken.ok, taken.ok ? "" : taken.error.why);
  const pid = taken.value;
  after(() => {
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

interface Ask {
  readonly maxTokens: number;
  readonly agent?: Agent;
  /** Some of the answer is here. */
  readonly begun?: () => void;
  /** The client goes away. */
  readonly signal?: AbortSignal;
}

/** One stream on a connection of its own, unless an agent keeps some. Rejects with what cut or refused it. */
function ask({ port, isTls }: World, { maxTokens, agent, begun, signal }: Ask): Promise<Answer> {
  const messages = [{ role: "user", content: "How does the tide turn?" }];
  const body = JSON.stringify({ model: "tide-8b", messages, stream: true, max_tokens: maxTokens });
  const headers = { authorization: `Bearer ${PROCESS_KEY}`, "content-type": "application/json" };
  const to = {
    host: "127.0.0.1",
    port,
    path: "/v1/chat/completions",
    method: "POST",
    headers,
    ...(signal === undefined ? {} : { signal }),
  };
  return new Promise((resolve, reject) => {
    const call = isTls
      ? requestTls({ ...to, agent: new TlsAgent({ keepAlive: false, rejectUnauthorized: false }) })
      : request({ ...to, agent: agent ?? new Agent({ keepAlive: false }) });
    call.on("error", reject);
    call.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (text.includes('"content":"')) begun?.();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, text }));
      response.on("error", reject);
    });
    call.end(body);
  });
}

const isWhole = ({ status, text }: Answer): boolean => status === 200 && text.trimEnd().endsWith("data: [DONE]");

async function openStream(
  world: World,
  maxTokens: number,
  signal = new AbortController().signal,
): Promise<{ readonly answer: Promise<Answer> }> {
  const begun = Promise.withResolvers<void>();
  const answer = ask(world, { maxTokens, signal, begun: () => begun.resolve() });
  await Promise.race([begun.promise, answer]);
  return { answer };
}

for (const isTls of [false, true]) {
  test(`a successor takes a gateway's place over ${isTls ? "TLS" : "plain HTTP"}: an open stream ends in the old process, nobody is refused or cut`, async (t) => {
    const world = await startWorld(t, { isTls, engineFlags: ["--step-base-ms", "20"] });
    const long = await openStream(world, 60);
    let isOver = false;
    const answers: Promise<Answer>[] = [];
    const load = (async () => {
      while (!isOver) {
        const pair = [ask(world, { maxTokens: 2 }), ask(world, { maxTokens: 2 })];
        answers.push(...pair);
        await Promise.all(pair);
      }
    })();
    const pid = await takeOver(world);
    assert.notEqual(pid, world.gateway.child.pid);
    isOver = true;
    await load;
    assert.ok(answers.length > 3);
    for (const answer of await Promise.all([...answers, long.answer])) assert.ok(isWhole(answer), answer.text);
    assert.deepEqual(await world.gateway.exited, [0, null]);
    assert.ok(isWhole(await ask(world, { maxTokens: 2 })));
    const again = await takeOver(world);
    assert.notEqual(again, pid);
    assert.ok(isWhole(await ask(world, { maxTokens: 2 })));
  });
}

test("both processes of a take-over are joined until the old one's streams have ended, each under a name of its own", async (t) => {
  const world = await startWorld(t, { engineFlags: ["--step-base-ms", "20"] });
  const { joined } = world.control;
  const old = world.gateway.child.pid ?? 0;
  const leaving = new AbortController();
  // Longer than any machine takes for the rest of this test.
  const long = await openStream(world, 5_000, leaving.signal);
  const pid = await takeOver(world);
  // The successor's first count comes after it has its name.
  while (joined.get("gateway-0") !== pid) await ask(world, { maxTokens: 2 });
  assert.deepEqual(
    new Map(joined),
    new Map([
      [`gateway-0.left-${old}`, old],
      ["gateway-0", pid],
    ]),
  );
  leaving.abort();
  await assert.rejects(long.answer);
  assert.deepEqual(await world.gateway.exited, [0, null]);
  while (joined.size > 1) await ask(world, { maxTokens: 2 });
  assert.deepEqual([...joined], [["gateway-0", pid]]);
});

test("after a take-over a kept-alive connection is answered once more by the old process, which says that it closes", async (t) => {
  const world = await startWorld(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  assert.equal((await ask(world, { maxTokens: 2, agent })).connection, "keep-alive");
  await takeOver(world);
  const last = await ask(world, { maxTokens: 2, agent });
  assert.deepEqual([isWhole(last), last.connection], [true, "close"]);
  const next = await ask(world, { maxTokens: 2, agent });
  assert.deepEqual([isWhole(next), next.connection], [true, "keep-alive"]);
});

test("a successor that cannot serve leaves the gateway as it was, and says why; it can be asked again", async (t) => {
  const world = await startWorld(t, { isTls: true });
  writeFileSync(join(world.dataDir, "tls.pem"), "no certificate");
  const refused = await askForTakeOver(world.dataDir, "gateway-0");
  assert.match(refused.ok ? "" : refused.error.why, /tls\.pem holds no certificate in PEM/);
  assert.ok(isWhole(await ask(world, { maxTokens: 2 })));
  assert.equal(world.control.joined.get("gateway-0"), world.gateway.child.pid);
  useCertificate(world.dataDir, "two");
  assert.notEqual(await takeOver(world), world.gateway.child.pid);
});

test("the way to ask for a take-over is for the owner alone, and says so when nobody is there", async (t) => {
  const world = await startWorld(t);
  assert.equal(statSync(deskPath(world.dataDir, "gateway-0")).mode & 0o777, 0o600);
  const nobody = await askForTakeOver(world.dataDir, "gateway-1");
  assert.match(nobody.ok ? "" : nobody.error.why, /^Nobody answers at .*gateway-1\.sock/);
});

const certificateOf = async ({ port }: World): Promise<string> => {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
};

test("a gateway takes a new certificate at SIGHUP and cuts nothing; a bad one changes nothing, and the log and a metric say so", async (t) => {
  const world = await startWorld(t, { isTls: true, flags: ["--metrics-port", "0"], engineFlags: ["--step-base-ms", "20"] });
  const first = await certificateOf(world);
  const long = await openStream(world, 60);
  useCertificate(world.dataDir, "two");
  world.gateway.child.kill("SIGHUP");
  while ((await certificateOf(world)) === first);
  const second = await certificateOf(world);
  copyFileSync(join(FIXTURES, "one.key"), join(world.dataDir, "tls.key"));
  world.gateway.child.kill("SIGHUP");
  const log = (): string => readFileSync(join(world.dataDir, "gateway-0", "gateway.log"), "utf8");
  while (!log().includes("gateway.certificate-refused")) assert.equal(await certificateOf(world), second);
  assert.match(log(), /is not the key of the certificate/);
  const metricsUrl = /metrics (http:\S+)/.exec(world.gateway.said.join("\n"))?.[1] ?? "";
  const metrics = await (await fetch(metricsUrl)).text();
  for (const outcome of ["taken", "refused"]) {
    assert.match(metrics, new RegExp(`tidegate_tls_certificate_reloads_total\\{outcome="${outcome}"\\} [1-9]`));
  }
  assert.match(metrics, /^tidegate_tls_certificate_expiry_timestamp_seconds [1-9]\d{9}$/m);
  assert.ok(isWhole(await long.answer));
});

test("a second SIGTERM ends a gateway at once", async (t) => {
  const world = await startWorld(t, { flags: ["--drain", "1m"], engineFlags: ["--step-base-ms", "50"] });
  const long = await openStream(world, 5_000);
  const cut = assert.rejects(long.answer);
  world.gateway.child.kill("SIGTERM");
  const refused = async (): Promise<boolean> =>
    ask(world, { maxTokens: 2 }).then(
      () => false,
      () => true,
    );
  while (!(await refused()));
  world.gateway.child.kill("SIGTERM");
  assert.deepEqual(await world.gateway.exited, [1, null]);
  await cut;
});

test("a gateway that is asked to end lets open streams go on for its drain time, then tells them that they end", async (t) => {
  const world = await startWorld(t, { flags: ["--drain", "600ms"], engineFlags: ["--step-base-ms", "50"] });
  const long = await openStream(world, 5_000);
  world.gateway.child.kill("SIGTERM");
  const { status, text } = await long.answer;
  assert.equal(status, 200);
  assert.match(text, /"code":"gateway_draining"\}\}\n\n$/);
  assert.deepEqual(await world.gateway.exited, [0, null]);
});
