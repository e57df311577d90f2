import { leaseStatusJson, parseLease, type LeaseRecord } from "../api/parse-lease.ts";
import type { Resource } from "../api/resource.ts";
import type { MonotonicMs } from "../base/ids.ts";
import { decideLease, judgeRenewal, LEASE_HOLD_MS, LEASE_RENEW_MS, LEASE_RETRY_MS } from "../failover/decide-lease.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";

export interface LeasePorts {
  readonly store: Pick<ClusterStore, "get" | "create" | "writeStatus">;
  readonly clock: Clock;
}

export interface LeaseName {
  readonly name: string;
  /** Unique to this start of this process. */
  readonly holder: string;
}

/** One tenure. */
export interface Lease {
  readonly term: number;
  /** Ask right before every act: false from the moment that somebody else may hold it, by this process's steady clock. */
  isHeld(): boolean;
  /** Aborted when it is lost or given back. A process that stands still hears of it late; `isHeld` is never late. */
  readonly lost: AbortSignal;
  /** The next one need not wait for the ttl. */
  release(): Promise<void>;
}

const KIND = "Lease";

/** Waits until nobody else holds the lease, takes it and keeps it. null = `signal` came first. While the store is away it waits too. */
export async function acquireLease(ports: LeasePorts, name: LeaseName, signal: AbortSignal): Promise<Lease | null> {
  let seen: { readonly version: string; readonly sinceMs: MonotonicMs } | null = null;
  while (!signal.aborted) {
    const found = await readLease(ports, name.name);
    let againMs = LEASE_RETRY_MS;
    if (found !== null) {
      const nowMs = ports.clock.monotonicMs();
      if (seen === null || seen.version !== found.resource.version) seen = { version: found.resource.version, sinceMs: nowMs };
      const decided = decideLease({ record: found.record, unchangedForMs: nowMs - seen.sinceMs }, name.holder);
      if (decided.type === "wait") againMs = decided.lookAgainAfterMs;
      else {
        const written = await ports.store.writeStatus(at(name.name), leaseStatusJson(decided.next), found.resource.version);
        // Valid from before it was asked for: the store may have had it at once, and its answer may have taken its time.
        if (written.ok) return new HeldLease(ports, { ...name, record: decided.next, version: written.value.version, askedAtMs: nowMs });
        if (written.error.code !== "UNAVAILABLE") againMs = 0;
      }
    }
    await ports.clock.sleep(againMs, signal);
  }
  return null;
}

/**
 * For a store that lets in one process at a time and no other before that one is dead: its lock is the lease, and cannot be lost. Only the
 * term is taken, at once, whatever stands there.
 * @returns a term higher than any before; where a full disk refuses it, one that is not kept, and may be given again.
 */
export async function takeTerm(ports: LeasePorts, { name, holder }: LeaseName): Promise<number> {
  const found = await readLease(ports, name);
  const term = (found?.record?.term ?? 0) + 1;
  if (found !== null) await ports.store.writeStatus(at(name), leaseStatusJson({ holder, term, renewal: 0 }), found.resource.version);
  return term;
}

const at = (name: string) => ({ kind: KIND, name }) as const;

interface Found {
  readonly resource: Resource;
  readonly record: LeaseRecord | null;
}

/** The object, made where there is none; null = the store is away. A record that cannot be read is a bug of its writer. */
async function readLease({ store }: LeasePorts, name: string): Promise<Found | null> {
  const got = await store.get(KIND, name);
  const isNew = !got.ok && got.error.code === "NOT_FOUND";
  const found = isNew ? await store.create({ kind: KIND, name, labels: {}, annotations: {}, spec: {} }) : got;
  if (!found.ok) return null;
  const record = parseLease(found.value);
  if (!record.ok) throw new Error(`Lease ${name} cannot be read: ${record.error}.`);
  return { resource: found.value, record: record.value };
}

class HeldLease implements Lease {
  readonly #ports: LeasePorts;
  readonly #name: string;
  readonly #lost = new AbortController();
  #record: LeaseRecord;
  #version: string;
  #heldUntilMs = 0;
  #renewing: Timer | null = null;
  #ending: Timer | null = null;

  constructor(ports: LeasePorts, of: LeaseName & { readonly record: LeaseRecord; readonly version: string; readonly askedAtMs: number }) {
    this.#ports = ports;
    this.#name = of.name;
    this.#record = of.record;
    this.#version = of.version;
    this.#renewed(of.version, of.askedAtMs);
  }

  get term(): number {
    return this.#record.term;
  }
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  isHeld(): boolean {
    return !this.#lost.signal.aborted && this.#ports.clock.monotonicMs() < this.#heldUntilMs;
  }

  async release(): Promise<void> {
    if (!this.isHeld()) return this.#lose();
    this.#lose();
    const given = { ...this.#record, holder: null };
    // Refused, or not answered: whoever waits waits for the ttl.
    await this.#ports.store.writeStatus(at(this.#name), leaseStatusJson(given), this.#version);
  }

  #renewed(version: string, askedAtMs: number): void {
    this.#version = version;
    this.#heldUntilMs = askedAtMs + LEASE_HOLD_MS;
    this.#ending?.cancel();
    this.#ending = this.#ports.clock.after(Math.max(0, this.#heldUntilMs - this.#ports.clock.monotonicMs()), () => this.#lose());
    this.#renewAfter(LEASE_RENEW_MS);
  }

  #renewAfter(delayMs: number): void {
    this.#renewing?.cancel();
    if (!this.#lost.signal.aborted) this.#renewing = this.#ports.clock.after(delayMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    if (!this.isHeld()) return this.#lose();
    const askedAtMs = this.#ports.clock.monotonicMs();
    this.#record = { ...this.#record, renewal: this.#record.renewal + 1 };
    const written = await this.#ports.store.writeStatus(at(this.#name), leaseStatusJson(this.#record), this.#version);
    if (!this.isHeld()) return this.#lose();
    if (written.ok) return this.#renewed(written.value.version, askedAtMs);
    const found = await this.#ports.store.get(KIND, this.#name);
    if (!this.isHeld()) return this.#lose();
    if (!found.ok && found.error.code === "UNAVAILABLE") return this.#renewAfter(LEASE_RETRY_MS);
    const stored = found.ok ? parseLease(found.value) : null;
    const verdict = judgeRenewal(stored !== null && stored.ok ? stored.value : null, this.#record);
    if (verdict === "lost" || !found.ok) return this.#lose();
    if (verdict === "renewed") return this.#renewed(found.value.version, askedAtMs);
    this.#version = found.value.version;
    this.#renewAfter(LEASE_RETRY_MS);
  }

  #lose(): void {
    this.#renewing?.cancel();
    this.#ending?.cancel();
    this.#lost.abort();
  }
}
