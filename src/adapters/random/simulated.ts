import type { Random } from "../../ports/random.ts";

/**
 * The same seed gives the same numbers. A text seed makes independent streams of one run: `` `${seed}/network` ``.
 * Generator: sfc32 (Doty-Humphrey, PractRand), seeded by FNV-1a. Guessable: never for real keys.
 */
export function createSeededRandom(seed: number | string): Random {
  const next32 = sfc32(String(seed));
  return {
    next: () => next32() / 4_294_967_296,
    token: (byteCount) => {
      let text = "";
      while (text.length < 2 * byteCount) text += next32().toString(16).padStart(8, "0");
      return text.slice(0, 2 * byteCount);
    },
  };
}

function sfc32(seed: string): () => number {
  let a = fnv1a(seed, 0x811c_9dc5);
  let b = fnv1a(seed, 0x9e37_79b9);
  let c = fnv1a(seed, 0x243f_6a88);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // Neighbouring seeds differ in few bits at first: the generator's author asks for twelve rounds of mixing.
  for (let round = 0; round < 12; round += 1) next();
  return next;
}

function fnv1a(text: string, basis: number): number {
  let hash = basis | 0;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return hash;
}
