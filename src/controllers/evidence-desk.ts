import type { AttachedEvidence, AttachedStatus } from "../api/attached-status.ts";
import type { EndpointAddress } from "../api/route-table.ts";
import { monotonicMs, type MonotonicMs } from "../base/ids.ts";
import { askEvidence } from "../instances/ask-evidence.ts";
import type { EnginePorts } from "../instances/call-engine.ts";

/** One attached engine that answers. */
export interface Asked {
  readonly name: string;
  readonly address: EndpointAddress;
  /** As found by the look of now, with the evidence that is stored. */
  readonly status: AttachedStatus;
}

interface Case {
  /** What it was asked as: another one is asked anew. */
  readonly of: string;
  readonly ending: AbortController;
  evidence: AttachedEvidence | null;
  triesLeft: number;
  isAsking: boolean;
  againAt: MonotonicMs;
}

const TRIES_MAX = 4;
/** An engine that is too busy to answer is left alone, each time for longer. */
const PAUSE_FIRST_MS = 15_000;
const PAUSE_FACTOR = 4;

/**
 * Knows what attached engines are, by asking: once in each generation (and in each run of the control plane), beside the looks, which
 * never wait for it. What it learns is reported by `learned`, and taken at the next look.
 */
export class EvidenceDesk {
  readonly #ports: EnginePorts;
  readonly #learned: (name: string) => void;
  readonly #cases = new Map<string, Case>();

  constructor(ports: EnginePorts, learned: (name: string) => void) {
    this.#ports = ports;
    this.#learned = learned;
  }

  /** What is known of it; asks where that is due. @param signal ends the asking when the control plane does. */
  evidenceOf(asked: Asked, signal: AbortSignal): AttachedEvidence | null {
    const { generation, engine, contextLength, models, evidence } = asked.status;
    const of = JSON.stringify([generation, engine, contextLength, models, asked.address]);
    let known = this.#cases.get(asked.name);
    if (known?.of !== of) {
      this.forget(asked.name);
      const stored = evidence?.generation === generation && known === undefined ? evidence : null;
      const [ending, againAt] = [new AbortController(), monotonicMs(0)];
      known = { of, ending, evidence: stored, triesLeft: TRIES_MAX, isAsking: false, againAt };
      this.#cases.set(asked.name, known);
    }
    const isDue = engine !== null && known.triesLeft > 0 && !known.isAsking && this.#ports.clock.monotonicMs() >= known.againAt;
    if (isDue) void this.#ask(known, asked, signal);
    return known.evidence;
  }

  forget(name: string): void {
    this.#cases.get(name)?.ending.abort();
    this.#cases.delete(name);
  }

  async #ask(known: Case, { name, address, status }: Asked, signal: AbortSignal): Promise<void> {
    const { engine, model, generation } = status;
    if (engine === null || model === null) return;
    known.isAsking = true;
    known.triesLeft -= 1;
    const found = await askEvidence(this.#ports, { address, engine, model }, AbortSignal.any([signal, known.ending.signal]));
    known.isAsking = false;
    if (signal.aborted || this.#cases.get(name) !== known) return;
    if (found.ok || found.error.isFinal) known.triesLeft = 0;
    const pauseMs = PAUSE_FIRST_MS * PAUSE_FACTOR ** (TRIES_MAX - 1 - known.triesLeft);
    known.againAt = monotonicMs(this.#ports.clock.monotonicMs() + pauseMs);
    known.evidence = found.ok ? { kind: "known", generation, ...found.value } : { kind: "unknown", generation, why: found.error.why };
    this.#learned(name);
  }
}
