import type { KeyHash, KeyId, TenantId } from "../base/ids.ts";

/** A stored key: the hash only. `prefix` is the first characters, for people to recognise it. */
export interface ApiKey {
  readonly id: KeyId;
  readonly tenant: TenantId;
  readonly hash: KeyHash;
  readonly prefix: string;
}
