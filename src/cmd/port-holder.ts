import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface PortHolder {
  readonly pid: number;
  /** Its command line, shortened. */
  readonly command: string;
}

const TCP_LISTEN = "0A";
const COMMAND_LENGTH_MAX = 120;

/** Who listens on a TCP port of this machine. null = nobody, or a process of another user that /proc hides. */
export function holderOfPort(port: number): PortHolder | null {
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => listeningInodes(readOr(path, ""), port)));
  if (inodes.size === 0) return null;
  for (const entry of readFolderOr("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    if (socketsOf(pid).some((inode) => inodes.has(inode))) return { pid, command: commandOf(pid) };
  }
  return null;
}

/** Inodes of the sockets that listen on `port`, from the text of /proc/net/tcp. */
export function listeningInodes(table: string, port: number): readonly string[] {
  const hexadecimal = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hexadecimal}`) === true && fields[3] === TCP_LISTEN)
    .map((fields) => fields[9] ?? "");
}

function socketsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readFolderOr(folder).flatMap((descriptor) => {
    const match = /^socket:\[(\d+)\]$/.exec(linkOr(`${folder}/${descriptor}`));
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

function commandOf(pid: number): string {
  const command = readOr(`/proc/${pid}/cmdline`, "").replaceAll("\0", " ").trim();
  return command.length > COMMAND_LENGTH_MAX ? `${command.slice(0, COMMAND_LENGTH_MAX)}...` : command;
}

// A process may end, or belong to somebody else, between two looks: then there is nothing to see.
function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    return ifSystemError(cause, otherwise);
  }
}
function readFolderOr(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (cause) {
    return ifSystemError(cause, []);
  }
}
function linkOr(path: string): string {
  try {
    return readlinkSync(path);
  } catch (cause) {
    return ifSystemError(cause, "");
  }
}
function ifSystemError<Value>(cause: unknown, otherwise: Value): Value {
  if (cause instanceof Error && "code" in cause) return otherwise;
  throw cause;
}
