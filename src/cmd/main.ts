import { runProgram } from "./program.ts";

// A reader that has seen enough closes the pipe, as `| head` does: what is left to say is for nobody, and no failure.
process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
  if (cause.code !== "EPIPE") throw cause;
});

process.exitCode = await runProgram(process.argv.slice(2));
