/** Milliseconds of the machine's monotonic clock: one clock for every process of the bench. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
