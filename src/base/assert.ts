/** Our own mistakes: kept on in production, ends the process through the supervisor. */
export function assert(condition: boolean, why: string): asserts condition {
  if (!condition) throw new Error(`Broken assumption: ${why}`);
}

/** Ends a switch that names every case. */
export function unreachable(value: never, where: string): never {
  throw new Error(`Broken assumption: ${where} met ${JSON.stringify(value)}.`);
}
