import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { err, ok, type Explanation, type Result } from "../../base/result.ts";
import type { Random } from "../../ports/random.ts";

/** Everything that one embedded platform keeps, by path. */
export interface StateDir {
  readonly path: string;
  /** Names this state: engines and processes carry it, so that strangers are never taken for ours. */
  readonly stateId: string;
  readonly database: string;
  readonly linkSocket: string;
  readonly gpuSocket: string;
  readonly adminFile: string;
  readonly keysFile: string;
  readonly appliedFile: string;
  readonly eventLog: string;
  readonly runFolder: string;
}

// The kernel's limit of a Unix socket's path is 108 bytes, with its end.
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Makes the state directory (0700) with its id, or opens the one that is there.
 * @errors when it cannot be made, belongs to somebody else, or its path is too long for sockets.
 */
export function openStateDir(asked: string, random: Random): Result<StateDir, Explanation> {
  // Children run elsewhere, and are recognised by the words they were started with.
  const path = resolve(asked);
  const linkSocket = join(path, "link.sock");
  if (Buffer.byteLength(linkSocket) > SOCKET_PATH_BYTES_MAX) {
    return refuse(path, `Its sockets would have paths of over ${SOCKET_PATH_BYTES_MAX} bytes.`, "Choose a shorter --data-dir.");
  }
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const owner = statSync(path).uid;
    if (process.getuid !== undefined && owner !== process.getuid()) {
      return refuse(path, `It belongs to user ${owner}.`, "Start as that user, or choose another --data-dir.");
    }
    chmodSync(path, 0o700);
    const runFolder = join(path, "run");
    mkdirSync(runFolder, { recursive: true, mode: 0o700 });
    const idFile = join(path, "state-id");
    if (!existsSync(idFile)) writeFileSync(idFile, `${random.token(8)}\n`, { mode: 0o600 });
    return ok({
      path,
      stateId: readFileSync(idFile, "utf8").trim(),
      database: join(path, "state.sqlite"),
      linkSocket,
      gpuSocket: join(path, "gpu.sock"),
      adminFile: join(path, "admin.json"),
      keysFile: join(path, "keys.txt"),
      appliedFile: join(path, "applied.sha256"),
      eventLog: join(path, "events.log"),
      runFolder,
    });
  } catch (cause) {
    return refuse(path, cause instanceof Error ? cause.message : String(cause), "Choose a --data-dir that you may write to.");
  }
}

const refuse = (path: string, why: string, next: string): Result<never, Explanation> =>
  err({ what: `The state directory ${path} cannot be used.`, why, next });
