import type { JsonValue } from "../base/json.ts";
import type { ExitCode } from "./explain.ts";

/** For programs: JSON, or the same as YAML. */
export async function printData(value: JsonValue, output: string): Promise<ExitCode> {
  if (output === "yaml") {
    const { stringify } = await import("yaml");
    process.stdout.write(stringify(value));
  } else {
    process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }
  return 0;
}
