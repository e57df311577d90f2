import { drawBits, type ContextHash } from "./context-hash.ts";

const VECTOR_SALT = 1_000;
const HALF = 0x8000_0000;

/** A vector of length 1 in float32, by the context alone: equal prompts are equal, others are nowhere near. */
export function embedPrompt(context: ContextHash, dimensions: number): Float32Array {
  const vector = Float32Array.from({ length: dimensions }, (_, index) => drawBits(context, VECTOR_SALT + index) / HALF - 1);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
