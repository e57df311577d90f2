import type { KeyEntry } from "../api/link-message.ts";
import type { KeyHash, TenantId } from "../base/ids.ts";
import type { KeyDigest } from "../ports/key-digest.ts";

// Longer than any key that is ever given out.
const KEY_LENGTH_MAX = 512;

/** API keys by their digest: the keys themselves are never kept, and a lookup by digest tells nothing by its time. */
export class KeyIndex {
  readonly #digest: KeyDigest;
  #tenants = new Map<KeyHash, TenantId>();
  #entries: readonly KeyEntry[] = [];

  constructor(digest: KeyDigest) {
    this.#digest = digest;
  }

  get entries(): readonly KeyEntry[] {
    return this.#entries;
  }

  replace(entries: readonly KeyEntry[]): void {
    this.#entries = entries;
    this.#tenants = new Map(entries.map((entry) => [entry.hash, entry.tenant]));
  }

  /** @param authorization the header's value, or null. Missing, garbage and unknown take the same way and the same time. */
  tenantOf(authorization: string | null): TenantId | null {
    // Never a part of it: what is cut off would not count against a key that stands before it.
    const given = authorization === null || authorization.length > KEY_LENGTH_MAX + 16 ? "" : authorization;
    const key = /^Bearer +([^\s]+) *$/i.exec(given)?.[1];
    const hash = this.#digest.digest(key === undefined || key.length > KEY_LENGTH_MAX ? "" : key);
    return key === undefined ? null : (this.#tenants.get(hash) ?? null);
  }
}
