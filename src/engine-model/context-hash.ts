/**
 * 64 bits that stand for a whole context, in two lanes of 32. Every step is a bijection of the first lane for a given id:
 * two contexts that differ in one id never come together again while their ids go on alike.
 */
export interface ContextHash {
  low: number;
  high: number;
}

/** @param text what the answer depends on before any token: model, revision, sampling. */
export function startHash(text: string): ContextHash {
  const hash = { low: 0x811c9dc5 | 0, high: 0x1b873593 | 0 };
  for (let at = 0; at < text.length; at += 1) absorb(hash, text.charCodeAt(at));
  return hash;
}

/** Takes the next id of the context in, at constant cost. */
export function absorb(hash: ContextHash, id: number): void {
  const low = Math.imul(hash.low ^ id, 0x9e3779b1);
  hash.low = (low << 13) | (low >>> 19);
  const high = Math.imul(hash.high ^ low, 0x85ebca6b);
  hash.high = (((high << 17) | (high >>> 15)) + 0x52dce729) | 0;
}

/** 32 well-mixed bits of the context; other salts give independent ones. */
export function drawBits(hash: ContextHash, salt: number): number {
  let bits = hash.low ^ Math.imul(hash.high + salt, 0xc2b2ae35);
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}
