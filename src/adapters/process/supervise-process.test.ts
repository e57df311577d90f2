import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createSimulatedClock } from "../clock/simulated.ts";
import { createSystemClock } from "../clock/system.ts";
import { createSystemRandom } from "../random/system.ts";
import { identify } from "./process-identity.ts";
import { recordSuccessor } from "./record-successor.ts";
import { superviseProcess, type SupervisedProcess, type Supervision } from "./supervise-process.ts";

const folder = mkdtempSync(join(tmpdir(), "tidegate-supervise-"));
after(() => rm(folder, { recursive: true }));
const clock = createSystemClock();
const random = createSystemRandom();
const WAITS = "setInterval(() => {}, 1000)";

/** Events of one supervised process, in order; `next` waits for one more. */
function supervision(program: string, overrides: Partial<Supervision> = {}): Supervision & { next(): Promise<string> } {
  const seen: string[] = [];
  const waiting: ((event: string) => void)[] = [];
  const tell = (event: string): void => {
    const waiter = waiting.shift();
    if (waiter === undefined) seen.push(event);
    else waiter(event);
  };
  const name = `helper-${random.token(3)}`;
  return {
    name,
    stateId: random.token(6),
    recordPath: join(folder, `${name}.json`),
    logPath: join(folder, `${name}.log`),
    command: [process.execPath, "-e", program],
    env: {},
    clock,
    random,
    onExit: ({ reason, restartAfterMs, lastLog }) => tell(`${reason}, ${restartAfterMs} ms, ${lastLog ?? "no log"}`),
    onRestart: () => tell("restarted"),
    next: () => {
      const event = seen.shift();
      return event === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(event);
    },
    ...overrides,
  };
}

async function started(options: Supervision): Promise<SupervisedProcess> {
  const supervised = await superviseProcess(options);
  assert.ok(supervised.ok, supervised.ok ? "" : supervised.error.reason);
  return supervised.value;
}
const pidOf = (supervised: SupervisedProcess): number => supervised.pid() ?? assert.fail("it runs");

test("a supervised process that dies is started again, and is gone after stop with its record", async () => {
  const options = supervision(WAITS);
  const supervised = await started(options);
  const first = pidOf(supervised);
  process.kill(first, "SIGKILL");
  assert.equal(await options.next(), "SIGKILL, 100 ms, no log");
  assert.equal(await options.next(), "restarted");
  const second = pidOf(supervised);
  assert.notEqual(second, first);
  await supervised.stop(1_000);
  assert.deepEqual([identify(second), existsSync(options.recordPath)], [null, false]);
});

test("a released process runs on and is adopted by the next supervisor, which restarts it too", async () => {
  const options = supervision(WAITS);
  const first = await started(options);
  first.release();
  const second = await started(options);
  assert.deepEqual([second.isAdopted, second.pid()], [true, first.pid()]);
  process.kill(pidOf(second), "SIGKILL");
  assert.equal(await options.next(), "ended, 100 ms, no log");
  assert.equal(await options.next(), "restarted");
  await second.stop(0);
});

test("a process that was started with another command is ended before the new one starts", async () => {
  const options = supervision(WAITS);
  const first = await started(options);
  first.release();
  const second = await started({ ...options, command: [...options.command, "--port=2"] });
  assert.equal(second.isAdopted, false);
  assert.equal(identify(first.pid() ?? 0), null);
  await second.stop(0);
});

test("a helper that keeps failing waits longer each time, up to 5 s, and tells its last words", async () => {
  const simulated = createSimulatedClock();
  const options = supervision("console.error('no port'); process.exit(4)", { clock: simulated });
  const supervised = await started(options);
  const waitsMs: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    const event = await options.next();
    const [, wait] = /^exit code 4, (\d+) ms, no port/.exec(event) ?? [];
    waitsMs.push(Number(wait));
    await simulated.advance(Number(wait));
    assert.equal(await options.next(), "restarted");
  }
  assert.deepEqual(waitsMs, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  supervised.release();
});

test("a helper that was up for 10 s is started again after the shortest wait", async () => {
  const simulated = createSimulatedClock();
  const options = supervision(WAITS, { clock: simulated });
  const supervised = await started(options);
  const upMs = [0, 0, 10_000];
  const waits: string[] = [];
  for (const duration of upMs) {
    await simulated.advance(duration);
    process.kill(pidOf(supervised), "SIGKILL");
    waits.push(await options.next());
    await simulated.advance(5_000);
    assert.equal(await options.next(), "restarted");
  }
  assert.deepEqual(waits, ["SIGKILL, 100 ms, no log", "SIGKILL, 200 ms, no log", "SIGKILL, 100 ms, no log"]);
  supervised.release();
  process.kill(pidOf(supervised), "SIGKILL");
});

test("a helper that is stopped while it waits for its next start is not started again", async () => {
  const simulated = createSimulatedClock();
  const options = supervision("process.exit(4)", { clock: simulated });
  const supervised = await started(options);
  assert.match(await options.next(), /^exit code 4, 100 ms/);
  await supervised.stop(0);
  await simulated.advance(60_000);
  assert.deepEqual([supervised.pid(), simulated.nextDueMs(), existsSync(options.recordPath)], [null, null, false]);
});

test("a stopped process is ended although it takes no TERM", async () => {
  const supervised = await started(supervision(WAITS));
  const pid = pidOf(supervised);
  process.kill(pid, "SIGSTOP");
  await supervised.stop(50);
  assert.equal(identify(pid), null);
});

/** Starts another process that carries the helper's mark, and puts it on record in its place. */
async function succeed(options: Supervision, ownPid: number): Promise<number> {
  const nonce = random.token(6);
  const env = { TIDEGATE_PROCESS: `${options.stateId}/${options.name}/${nonce}` };
  const child = spawn(process.execPath, ["-e", `console.log("up"); ${WAITS}`], {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  child.unref();
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  assert.notEqual(await recordSuccessor(options.recordPath, { ownPid, pid, nonce }), null);
  return pid;
}

test("a process that another one took the place of is let go: the other is looked after, and both are gone after stop", async () => {
  const taken = Promise.withResolvers<number>();
  const options = supervision(WAITS, { onTakeOver: taken.resolve });
  const supervised = await started(options);
  const first = pidOf(supervised);
  const second = await succeed(options, first);
  assert.equal(await taken.promise, second);
  assert.deepEqual([supervised.pid(), identify(first) === null], [second, false]);
  process.kill(second, "SIGKILL");
  assert.equal(await options.next(), "ended, 100 ms, no log");
  assert.equal(await options.next(), "restarted");
  const third = pidOf(supervised);
  const fourth = await succeed(options, third);
  await supervised.stop(1_000);
  assert.deepEqual([third, fourth].map(identify), [null, null]);
  process.kill(first, "SIGKILL");
});

test("a successor that is on record when its predecessor dies is looked after instead of a new start", async () => {
  const taken = Promise.withResolvers<number>();
  const simulated = createSimulatedClock();
  const options = supervision(WAITS, { clock: simulated, onTakeOver: taken.resolve });
  const supervised = await started(options);
  const first = pidOf(supervised);
  const second = await succeed(options, first);
  process.kill(first, "SIGKILL");
  assert.equal(await taken.promise, second);
  supervised.release();
  process.kill(second, "SIGKILL");
});

test("a process that is not on record cannot put another in its place", async () => {
  const options = supervision(WAITS);
  const supervised = await started(options);
  const of = { ownPid: process.pid, pid: process.pid, nonce: "n" };
  assert.equal(await recordSuccessor(options.recordPath, of), null);
  assert.equal(await recordSuccessor(`${options.recordPath}.none`, of), null);
  await supervised.stop(0);
});

test("a helper that cannot be started is NOT_STARTED with the reason", async () => {
  const supervised = await superviseProcess(supervision(WAITS, { command: ["/nowhere/tidegate"] }));
  assert.match(supervised.ok ? "" : supervised.error.reason, /ENOENT/);
});

test("record and log of a helper are for their owner alone, and its environment is what it was given", async () => {
  const options = supervision(`console.log(Object.keys(process.env).join()); ${WAITS}`, { env: { HOME: "/home/nobody" } });
  const supervised = await started(options);
  while (!readFileSync(options.logPath, "utf8").endsWith("\n")) await clock.sleep(10, new AbortController().signal);
  const modes = [options.recordPath, options.logPath].map((path) => statSync(path).mode & 0o777);
  await supervised.stop(0);
  assert.deepEqual(modes, [0o600, 0o600]);
  assert.equal(readFileSync(options.logPath, "utf8"), "HOME,TIDEGATE_PROCESS\n");
});
