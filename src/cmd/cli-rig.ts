import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNodeHttpFront } from "../adapters/http-front/node-http.ts";
import { assert } from "../base/assert.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { createAdminRig } from "./admin-rig.ts";
import type { AdminOptions } from "../admin/create-admin.ts";

export const BIN = fileURLToPath(new URL("../../bin/tidegate.js", import.meta.url));

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A module that Node loads first. */
  readonly preload?: string;
  /** The entry to run, where it is not our own. */
  readonly bin?: string;
}

export interface CliRun {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `tidegate` as a user does, in `cwd`, with nothing of our own environment but the path. */
export async function runCli(args: readonly string[], more: CliOptions = {}): Promise<CliRun> {
  const running = startCli(args, more);
  const exitCode = await running.exited;
  return { exitCode, out: running.out(), err: running.err() };
}

export interface RunningCli {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  out(): string;
  err(): string;
  /** Resolves when the output of both streams together matches; rejects when it ends before. */
  shows(pattern: RegExp): Promise<void>;
}

export function startCli(args: readonly string[], more: CliOptions = {}): RunningCli {
  const env = { PATH: process.env["PATH"] ?? "", ...more.env };
  const preload = more.preload === undefined ? [] : ["--import", `data:text/javascript,${encodeURIComponent(more.preload)}`];
  const child = spawn(process.execPath, [...preload, more.bin ?? BIN, ...args], {
    cwd: more.cwd ?? tmpdir(),
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { out: "", err: "" };
  const watchers = new Set<() => void>();
  for (const [stream, name] of [
    [child.stdout, "out"],
    [child.stderr, "err"],
  ] as const) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      for (const look of watchers) look();
    });
  }
  const { promise: exited, resolve } = Promise.withResolvers<number | null>();
  child.on("close", (code) => resolve(code));
  return {
    child,
    exited,
    out: () => text.out,
    err: () => text.err,
    shows: (pattern) =>
      new Promise((settle, reject) => {
        const look = (): void => {
          if (!pattern.test(`${text.out}\n${text.err}`)) return;
          watchers.delete(look);
          settle();
        };
        watchers.add(look);
        void exited.then(() => reject(new Error(`ended without showing ${pattern}: ${text.out}${text.err}`)));
        look();
      }),
  };
}

/** A control plane's admin API on a real port, with a data directory that names it. */
export async function listenAdmin(options: Partial<AdminOptions> = {}) {
  const listening: { address: EndpointAddress } = { address: { host: "127.0.0.1", port: 0 } };
  const rig = createAdminRig({ port: () => listening.address.port, ...options });
  const dataDir = mkdtempSync(join(tmpdir(), "tidegate-cli-"));
  const listen = async (port: number) => {
    const listener = await createNodeHttpFront().listen({ host: "127.0.0.1", port }, rig.admin.handler);
    assert(listener.ok, "a loopback port is free");
    listening.address = listener.value.address;
    writeFileSync(join(dataDir, "admin.json"), JSON.stringify(listener.value.address));
    return listener.value;
  };
  let listener = await listen(0);
  return {
    ...rig,
    dataDir,
    port: (): number => listening.address.port,
    /** Goes away and comes back at the same port. */
    async restart(whileAway: () => Promise<void>) {
      await listener.close(0);
      await whileAway();
      listener = await listen(listening.address.port);
    },
    async [Symbol.asyncDispose]() {
      rig.admin.stop();
      await listener.close(0);
      rmSync(dataDir, { recursive: true });
    },
  };
}
