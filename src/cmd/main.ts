import { runProgram } from "./program.ts";

// A reader that has seen enough closes the pipe, as `| head` does, and a terminal can go away: what is left to say is for nobody then.
process.stdout.on("error", () => undefined);

process.exitCode = await runProgram(process.argv.slice(2));
