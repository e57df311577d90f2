import assert from "node:assert/strict";
import { existsSync, mkdtempSync, statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeName } from "../../base/ids.ts";
import { gpuComputeContract, sharedPartition, slowdownsByWeight } from "../../ports/gpu-compute-contract.ts";
import { gpuDriverContract, gpuNode, type DriverRig } from "../../ports/gpu-driver-contract.ts";
import { gpuFaultContract } from "../../ports/gpu-fault-contract.ts";
import { gpuMemoryContract } from "../../ports/gpu-memory-contract.ts";
import { createSimulatedClock } from "../clock/simulated.ts";
import { createSystemClock } from "../clock/system.ts";
import { connectGpuFaults } from "./account-faults.ts";
import { connectAccountDriver } from "./account-driver.ts";
import { connectGpuAccount } from "./account-socket.ts";
import { serveAccountSocket, type ServedAccount } from "./serve-account.ts";
import { createSimulatedAccount, type SimulatedAccount } from "./simulated.ts";

const folder = mkdtempSync(join(tmpdir(), "tidegate-account-"));
after(() => rm(folder, { recursive: true }));
const clock = createSystemClock();
const DONE = { ok: true, value: null };
const AT = { node: nodeName("gpu-a"), gpu: 0 };
let sockets = 0;
const freshPath = (): string => join(folder, `${(sockets += 1)}.sock`);

const rig = async (): Promise<DriverRig> => {
  const simulated = createSimulatedClock();
  const account = createSimulatedAccount(simulated, { slowdowns: slowdownsByWeight });
  const path = freshPath();
  const served = await serve(account, path);
  const driver = connectAccountDriver(path, clock);
  const faults = connectGpuFaults(path, clock);
  const clients: { close(): void }[] = [driver, faults];
  return {
    driver,
    faults,
    connect(instance, pid, isPromised = false) {
      const client = connectGpuAccount(path, { instance, pid, isPromised }, clock);
      clients.push(client);
      return {
        account: client,
        async die() {
          const before = served.connectionCount();
          client.close();
          while (served.connectionCount() === before) await driver.observe();
        },
      };
    },
    // A round trip lets answers that are due reach their clients.
    async pass(durationMs) {
      await simulated.advance(durationMs);
      await driver.observe();
    },
    async close() {
      for (const client of clients) client.close();
      await served.close();
    },
  };
};
gpuDriverContract("account over a socket", rig);
gpuFaultContract("account over a socket", rig);
gpuMemoryContract("account over a socket", rig);
gpuComputeContract("account over a socket", rig);

test("an account socket is for its owner alone, and a second server on it is refused", async () => {
  const path = freshPath();
  const served = await serve(createSimulatedAccount(clock), path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = await serveAccountSocket(createSimulatedAccount(clock), path);
  assert.deepEqual(second, { ok: false, error: { code: "ALREADY_SERVED", path } });
  await served.close();
  assert.equal(existsSync(path), false);
});

test("an account socket that nobody serves any more is replaced", async () => {
  const path = freshPath();
  await writeFile(path, "");
  const served = await serve(createSimulatedAccount(clock), path);
  const driver = connectAccountDriver(path, clock);
  assert.deepEqual(await driver.observe(), { ok: true, value: [] });
  driver.close();
  await served.close();
});

test("an engine's holds are made again at an account process that was started again", async () => {
  const path = freshPath();
  const first = await serve(createSimulatedAccount(clock), path);
  const driver = connectAccountDriver(path, clock);
  await driver.ensureInventory([gpuNode("gpu-a")]);
  const engine = connectGpuAccount(path, { instance: "hot-1", pid: 1 }, clock);
  assert.deepEqual(await engine.holdGpu(AT, 5), DONE);
  await first.close();
  const account = createSimulatedAccount(clock);
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  const second = await serve(account, path);
  assert.deepEqual(await engine.holdHost(AT.node, 7), DONE);
  assert.deepEqual(account.state().holders, [
    {
      instance: "hot-1",
      pid: 1,
      gpus: [{ ...AT, bytes: 5, isParked: false, tenant: null, mig: null }],
      hosts: [{ node: "gpu-a", bytes: 7 }],
      freeAtWallMs: null,
    },
  ]);
  engine.close();
  driver.close();
  await second.close();
});

test("a transfer under way is made again at an account process that was started again", async () => {
  const path = freshPath();
  const simulated = createSimulatedClock();
  const first = await serve(createSimulatedAccount(simulated), path);
  const driver = connectAccountDriver(path, clock);
  await driver.ensureInventory([gpuNode("gpu-a")]);
  const engine = connectGpuAccount(path, { instance: "hot-1", pid: 1 }, clock);
  const transfer = engine.transfer({ node: AT.node, link: "disk" }, 1_000_000, new AbortController().signal);
  await engine.holdHost(AT.node, 0);
  await first.close();
  const account = createSimulatedAccount(clock);
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  const second = await serve(account, path);
  assert.deepEqual(await transfer, DONE);
  engine.close();
  driver.close();
  await second.close();
});

test("shares of compute go on at an account process that was started again, by what engines say of their work", async () => {
  const path = freshPath();
  const options = { slowdowns: slowdownsByWeight };
  const account = createSimulatedAccount(clock, options);
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  const slowdowns = new Map<string, number | null>();
  const heard: { next: () => void } = { next: () => undefined };
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise<void>((resolve) => (heard.next = resolve));
  };
  const first = await serve(account, path);
  const [gold, bronze] = ["gold", "bronze"].map((name, index) => {
    void account.driver.ensurePartition(sharedPartition(name, index === 0 ? 80 : 20));
    const client = connectGpuAccount(path, { instance: name, pid: 1, isPromised: true }, clock);
    const share = client.shareCompute([AT], (terms) => {
      slowdowns.set(name, terms?.slowdown ?? null);
      heard.next();
    });
    return { client, share };
  });
  assert.ok(gold !== undefined && bronze !== undefined);
  for (const { share } of [gold, bronze]) share.tell({ isBusy: true, usedMs: 0, demandRatio: 1 });
  await until(() => slowdowns.size === 2);
  for (const { share } of [gold, bronze]) share.tell({ isBusy: true, usedMs: 10, demandRatio: 1 });
  await until(() => slowdowns.get("bronze") === 5);
  const kept = account.state();
  await first.close();
  const again = createSimulatedAccount(clock, options);
  again.restore(kept);
  const second = await serve(again, path);
  await gold.client.holdHost(AT.node, 0);
  gold.share.tell({ isBusy: false, usedMs: 500, demandRatio: 1 });
  await until(() => slowdowns.get("bronze") === 1);
  for (const { client } of [gold, bronze]) client.close();
  await second.close();
});

test("a GPU is lost and restored over the socket, and an engine there is told at once, or when its account is back", async () => {
  const simulated = createSimulatedClock();
  const path = freshPath();
  const account = createSimulatedAccount(simulated);
  await account.driver.ensureInventory([gpuNode("gpu-a")]);
  const served = await serve(account, path);
  const engine = connectGpuAccount(path, { instance: "hot-1", pid: 1 }, clock);
  const faults = connectGpuFaults(path, clock);
  const loss = { kind: "gpu-lost", mode: "fallen_off_bus", ...AT } as const;
  const told = new Promise((resolve) => engine.watchLoss([AT], resolve));
  assert.deepEqual(await faults.lose(loss, 1_000), DONE);
  assert.deepEqual(await told, { ...AT, mode: "fallen_off_bus" });
  const listed = await faults.list();
  assert.deepEqual(listed.ok ? listed.value.map(({ node, gpu }) => ({ node, gpu })) : listed.error, [AT]);
  assert.deepEqual(await faults.restore(loss), DONE);
  assert.deepEqual(await faults.list(), { ok: true, value: [] });
  assert.deepEqual(await faults.lose({ ...loss, node: nodeName("gpu-z") }, 1_000), {
    ok: false,
    error: { code: "NOT_INJECTED", reason: "UNKNOWN_GPU" },
  });
  const toldLater = new Promise((resolve) => engine.watchLoss([AT], resolve));
  await engine.holdHost(AT.node, 0);
  await served.close();
  account.loseGpus(loss, 1_000);
  const second = await serve(account, path);
  assert.deepEqual(await toldLater, { ...AT, mode: "fallen_off_bus" });
  for (const client of [engine, faults]) client.close();
  await second.close();
});

test("an account that stays away is ACCOUNT_UNAVAILABLE after 5 s, for the driver DRIVER_UNAVAILABLE after 1 s", async () => {
  const simulated = createSimulatedClock();
  const path = freshPath();
  const engine = connectGpuAccount(path, { instance: "hot-1", pid: 1 }, simulated);
  const driver = connectAccountDriver(path, simulated);
  const answers: string[] = [];
  void engine.holdGpu(AT, 1).then((held) => answers.push(held.ok ? "held" : held.error.code));
  void driver.observe().then((seen) => answers.push(seen.ok ? "seen" : seen.error.code));
  await simulated.advance(999);
  assert.deepEqual(answers, []);
  await simulated.advance(1);
  assert.deepEqual(answers, ["DRIVER_UNAVAILABLE"]);
  await simulated.advance(4_000);
  assert.deepEqual(answers, ["DRIVER_UNAVAILABLE", "ACCOUNT_UNAVAILABLE"]);
  engine.close();
  driver.close();
});

test("a peer that says what is no question is cut off, and the others are served on", async () => {
  const path = freshPath();
  const served = await serve(createSimulatedAccount(clock), path);
  const bad = [
    "no JSON\n",
    "[]\n",
    '{"id":1}\n',
    '{"id":1,"question":{"ask":"hold-gpu","node":"gpu-a","gpu":0,"bytes":-1}}\n',
    '{"id":1,"question":{"ask":"inventory","nodes":[null]}}\n',
    '{"id":1,"question":{"ask":"observe","only":[null]}}\n',
    '{"id":1,"question":{"ask":"observe","only":"all"}}\n',
    '{"id":1,"question":{"ask":"watch-loss","gpus":[{"node":7}]}}\n',
  ];
  for (const text of bad) {
    const socket = createConnection({ path });
    socket.write(text);
    await new Promise((resolve) => socket.once("close", resolve));
  }
  const driver = connectAccountDriver(path, clock);
  assert.equal((await driver.observe()).ok, true);
  driver.close();
  await served.close();
});

async function serve(account: SimulatedAccount, path: string): Promise<ServedAccount> {
  const served = await serveAccountSocket(account, path);
  assert.ok(served.ok, served.ok ? "" : served.error.code);
  return served.value;
}
