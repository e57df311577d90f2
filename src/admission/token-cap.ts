export type TokenCap =
  | { readonly kind: "pass" }
  /** The request names no limit: it gets the service's. */
  | { readonly kind: "set"; readonly maxTokens: number }
  | { readonly kind: "refuse"; readonly limit: number };

/** `limit` null = the service sets none. */
export function capTokens(asked: number | null, limit: number | null): TokenCap {
  if (limit === null) return { kind: "pass" };
  if (asked === null) return { kind: "set", maxTokens: limit };
  return asked > limit ? { kind: "refuse", limit } : { kind: "pass" };
}
