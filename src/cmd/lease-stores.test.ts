import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSimulatedClock } from "../adapters/clock/simulated.ts";
import { createMemoryStore } from "../adapters/cluster-store/memory.ts";
import { openSqliteStore } from "../adapters/cluster-store/sqlite.ts";
import type { ResourceDraft } from "../api/resource.ts";
import { fencedStore, raiseFence } from "../controllers/fence-store.ts";
import { acquireLease, takeTerm, type Lease } from "../controllers/hold-lease.ts";
import { LEASE_TTL_MS } from "../failover/decide-lease.ts";
import type { ClusterStore } from "../ports/cluster-store.ts";

const NEVER = new AbortController().signal;
const draft = (name: string): ResourceDraft => ({ kind: "GPUNode", name, labels: {}, annotations: {}, spec: { gpus: [] } });

/** What the lease asks of every store. */
function leaseContract(adapter: string, open: () => Promise<{ readonly store: ClusterStore; readonly end: () => void }>): void {
  const fact: Fact = (name, check) => {
    test(`lease over ${adapter}: ${name}`, async () => {
      const { store, end } = await open();
      try {
        await check(new Rig(store));
      } finally {
        await store.close();
        end();
      }
    });
  };
  fact("the first takes it at once; the second waits as long as the first renews, and the ttl after its last renewal", async (rig) => {
    const first = await rig.take("a");
    const waiting = rig.wait("b");
    await rig.pass(LEASE_TTL_MS * 3);
    assert.deepEqual([first.term, first.isHeld(), waiting.taken], [1, true, null]);
    rig.isAway = true;
    await rig.pass(LEASE_TTL_MS);
    assert.equal(first.isHeld(), false);
    rig.isAway = false;
    await rig.pass(LEASE_TTL_MS + 1_000);
    assert.equal(waiting.taken?.term, 2);
    await first.release();
    assert.equal(waiting.taken?.isHeld(), true);
  });
  fact("one that is given back is taken without a wait for the ttl", async (rig) => {
    const first = await rig.take("a");
    const waiting = rig.wait("b");
    await rig.pass(1_000);
    await first.release();
    await rig.pass(600);
    assert.deepEqual([first.isHeld(), first.lost.aborted, waiting.taken?.term], [false, true, 2]);
    await waiting.taken?.release();
  });
  fact("behind a lock the next term is taken at once, whoever held the one before", async (rig) => {
    const killed = await rig.take("a");
    assert.equal(await takeTerm(rig.ports, { name: "leader", holder: "b" }), 2);
    assert.equal(await takeTerm(rig.ports, { name: "leader", holder: "c" }), 3);
    await killed.release();
  });
  fences(fact);
}

type Fact = (name: string, check: (rig: Rig) => Promise<void>) => void;

function fences(fact: Fact): void {
  fact("a renewal wakes nobody who looks at another kind, and no write of a leader does so by its look at the fence", async (rig) => {
    const kinds: string[] = [];
    const lease = await rig.take("a");
    const fence = await raiseFence(rig.ports, "fence", lease);
    assert.ok(fence !== null);
    await rig.pass(0);
    rig.store.watch(({ kind, name }) => void kinds.push(`${kind} ${name}`));
    await rig.pass(3_500);
    assert.ok((await fencedStore(rig.store, fence).create(draft("gpu-a"))).ok);
    await rig.pass(0);
    assert.deepEqual([...new Set(kinds)].toSorted(), ["GPUNode gpu-a", "Lease leader"]);
    await lease.release();
  });
  fact("with a newer term's fence every write of an older leader is refused, whole", async (rig) => {
    const old = await rig.take("a");
    const oldFence = await raiseFence(rig.ports, "fence", old);
    assert.ok(oldFence !== null);
    const late = fencedStore(rig.store, oldFence);
    const made = await late.create(draft("gpu-a"));
    assert.ok(made.ok);
    await old.release();
    const next = await rig.take("b");
    const nextFence = await raiseFence(rig.ports, "fence", next);
    assert.ok(nextFence !== null);
    const { version } = made.value;
    const answers = [
      await late.create(draft("gpu-b")),
      await late.writeSpec({ ...draft("gpu-a"), spec: { gpus: [1] } }, version),
      await late.writeStatus(made.value, { phase: "late" }, version),
      await late.remove("GPUNode", "gpu-a"),
      await late.applyAll([{ verb: "put", draft: draft("gpu-b"), version: null }]),
    ];
    for (const answer of answers) assert.ok(!answer.ok && answer.error.code === "UNAVAILABLE" && answer.error.applied === "no");
    const listed = await rig.store.list("GPUNode");
    assert.deepEqual(listed.ok && listed.value.items, [made.value]);
    assert.ok((await fencedStore(rig.store, nextFence).writeStatus(made.value, { phase: "new" }, version)).ok);
    await next.release();
  });
}

class Rig {
  readonly clock = createSimulatedClock();
  readonly store: ClusterStore;
  readonly ports: { readonly store: ClusterStore; readonly clock: Rig["clock"] };
  isAway = false;

  constructor(store: ClusterStore) {
    this.store = store;
    const away = { ok: false, error: { code: "UNAVAILABLE", applied: "no", reason: "away" } } as const;
    this.ports = {
      clock: this.clock,
      store: { ...store, writeStatus: async (of, status, version) => (this.isAway ? away : store.writeStatus(of, status, version)) },
    };
  }

  async take(holder: string): Promise<Lease> {
    const lease = await acquireLease(this.ports, { name: "leader", holder }, NEVER);
    assert.ok(lease !== null);
    return lease;
  }

  wait(holder: string): { readonly taken: Lease | null } {
    const waiting: { taken: Lease | null } = { taken: null };
    void acquireLease(this.ports, { name: "leader", holder }, NEVER).then((lease) => (waiting.taken = lease));
    return waiting;
  }

  /** The store answers in the order in which it was asked, in its own time. */
  async pass(durationMs: number): Promise<void> {
    for (let leftMs = durationMs; leftMs >= 0; leftMs -= 100) {
      await this.clock.advance(Math.min(100, leftMs));
      for (let turn = 0; turn < 3; turn += 1) await this.store.get("GPUNode", "none");
    }
  }
}

leaseContract("memory", async () => ({ store: createMemoryStore(createSimulatedClock()), end: () => undefined }));
leaseContract("sqlite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-lease-"));
  const opened = await openSqliteStore(join(folder, "state.db"), createSimulatedClock());
  assert.ok(opened.ok);
  return { store: opened.value, end: () => rmSync(folder, { recursive: true }) };
});
