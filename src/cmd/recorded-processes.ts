import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type JsonValue } from "../base/json.ts";

interface RecordedProcess {
  readonly name: string;
  readonly pid: number;
  readonly isAlive: boolean;
}

/** Run records of a folder with a pid; a torn one says nothing. */
export function recordedProcesses(folder: string, read: (path: string) => JsonValue): readonly RecordedProcess[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => {
      const record = read(join(folder, name));
      const pid = isJsonObject(record) ? record["pid"] : null;
      return typeof pid === "number" ? [{ name: name.slice(0, -".json".length), pid, isAlive: existsSync(`/proc/${pid}`) }] : [];
    });
}
