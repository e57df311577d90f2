/** Long work in steps: whoever drives it may do something else between any two of them. */
export type Steps<Value> = Generator<undefined, Value, undefined>;

/** All of it at once. */
export function finish<Value>(steps: Steps<Value>): Value {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
