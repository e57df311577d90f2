import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { root } from "./source-files.ts";

/** A platform of real processes in a state directory of its own. */
export interface Platform {
  readonly process: ChildProcess;
  readonly dataDir: string;
  readonly gatewayPort: number;
  readonly adminPort: number;
  /** Everything that it has written so far, both streams. */
  output(): string;
  /** Resolves with the output once it contains `text`; rejects when the process ends first. */
  seen(text: string): Promise<string>;
  /** Resolves with the exit code (or signal) of the process that was started. */
  readonly ended: Promise<number | string>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("A TCP server has an address.");
  return address.port;
}

/** New state directories; when the file's tests are over, what still runs in them is ended and they are removed. */
export function ownDataDirs(): () => string {
  const used: string[] = [];
  after(() => {
    for (const path of used) {
      for (const pid of processesOf(path)) process.kill(pid, "SIGKILL");
      rmSync(path, { recursive: true, force: true });
    }
  });
  return () => {
    const path = mkdtempSync(join(tmpdir(), "tg-"));
    used.push(path);
    return path;
  };
}

/** Starts `tidegate up` with the given arguments; `through` replaces the command, as by npm. */
export async function startPlatform(
  paths: readonly string[],
  dataDir: string,
  ports?: { readonly gatewayPort: number; readonly adminPort: number },
): Promise<Platform> {
  const gatewayPort = ports?.gatewayPort ?? (await freePort());
  const adminPort = ports?.adminPort ?? (await freePort());
  const flags = ["--data-dir", dataDir, "--gateway-port", `${gatewayPort}`, "--admin-port", `${adminPort}`];
  const child = spawn(process.execPath, [join(root, "bin", "tidegate.js"), "up", ...paths, ...flags], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { ...watchOutput(child), dataDir, gatewayPort, adminPort };
}

/** Output and end of a child, as facts to wait for. */
export function watchOutput(child: ChildProcess): Pick<Platform, "process" | "output" | "seen" | "ended"> {
  let text = "";
  let code: number | string | null = null;
  const waiting = new Set<() => void>();
  const wake = (): void => [...waiting].forEach((check) => check());
  const onData = (chunk: Buffer): void => {
    text += chunk.toString("utf8");
    wake();
  };
  child.stdout?.on("data", onData);
  child.stderr?.on("data", onData);
  const ended = new Promise<number | string>((resolve) => {
    child.once("exit", (exitCode, signal) => {
      code = exitCode ?? signal ?? "unknown";
      resolve(code);
      wake();
    });
  });
  const seen = (wanted: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!text.includes(wanted) && code === null) return;
        waiting.delete(check);
        if (text.includes(wanted)) resolve(text);
        else reject(new Error(`Ended with ${code} before it said "${wanted}":\n${text}`));
      };
      waiting.add(check);
      check();
    });
  return { process: child, output: () => text, seen, ended };
}

/** Pids of all processes whose environment or arguments name this state directory. */
export function processesOf(dataDir: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(dataDir) &&
          !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Keys that the first start wrote to its file, by tenant. */
export function readKeys(dataDir: string): ReadonlyMap<string, string> {
  const lines = readFileSync(join(dataDir, "keys.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [tenant = "", key = ""] = line.split(/\s+/);
      return [tenant, key];
    }),
  );
}
