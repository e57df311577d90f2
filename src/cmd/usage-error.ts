import { formatExplanation } from "./explain.ts";

/** The command line itself is wrong: exit 2, and where its help is. */
export function usageError(what: string, why: string, command: string): 2 {
  process.stderr.write(formatExplanation({ what, why, next: `tidegate ${command === "" ? "" : `${command} `}--help` }));
  return 2;
}
