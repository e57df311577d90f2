import { later, type MonotonicMs } from "../base/ids.ts";

/** Of one service; the oldest makes room. */
const SUSPECT_BODIES_MAX = 256;
/** How long a body is remembered after the last engine that died under it. */
export const SUSPECT_FOR_MS = 600_000;

/** A request's body, by what tells it from others. The digest costs time, and is taken only where the size is known. */
export interface BodyIdentity {
  readonly bytes: number;
  fingerprint(): string;
}

/**
 * What is known against a body.
 * noted: an answer that had begun was lost with its engine; nothing is refused. once-more: it stood at two deaths, which may be chance: many
 * requests share an engine, and only one of them killed it; so it gets one more try, alone. on-trial: that try runs. refused: it killed again.
 */
export interface SuspectBody<Death> {
  readonly bytes: number;
  readonly fingerprint: string;
  state: "noted" | "once-more" | "on-trial" | "refused";
  /** Oldest first. */
  deaths: readonly Death[];
  until: MonotonicMs;
}

type BodyAdmission<Death> =
  | { readonly kind: "free" }
  | { readonly kind: "noted" | "trial"; readonly body: SuspectBody<Death> }
  | { readonly kind: "refuse" };

/** Bodies of one service under which engines died. A body that is answered is forgotten; the others after a while. */
export class SuspectBodies<Death> {
  readonly #bodies = new Map<string, SuspectBody<Death>>();
  readonly #sizes = new Map<number, number>();
  readonly #countMax: number;

  constructor(countMax: number = SUSPECT_BODIES_MAX) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#bodies.size;
  }

  /** Asked once for each request. A trial ends by `answered`, `convict` or `trialEnded`. */
  admit(identity: BodyIdentity, now: MonotonicMs): BodyAdmission<Death> {
    const body = this.#find(identity, now);
    if (body === null) return { kind: "free" };
    switch (body.state) {
      case "noted":
        return { kind: "noted", body };
      case "once-more":
        body.state = "on-trial";
        return { kind: "trial", body };
      case "on-trial":
      case "refused":
        return { kind: "refuse" };
    }
  }

  /** An engine died under an answer that had begun. @returns true when the oldest was forgotten for it. */
  note(identity: BodyIdentity, death: Death, now: MonotonicMs): boolean {
    const known = this.#find(identity, now);
    if (known === null) return this.#add(identity, { state: "noted", deaths: [death] }, now);
    known.deaths = [...known.deaths, death].slice(-DEATHS_MAX);
    known.until = later(now, SUSPECT_FOR_MS);
    return false;
  }

  /**
   * It stood at deaths that blame it. Only its trial makes it refused: other requests with the same body may have stood at the same deaths.
   * @returns as `note`.
   */
  convict(identity: BodyIdentity, by: { readonly deaths: readonly Death[]; readonly isTrial: boolean }, now: MonotonicMs): boolean {
    const deaths = by.deaths.slice(-DEATHS_MAX);
    const known = this.#find(identity, now);
    if (known === null) return this.#add(identity, { state: by.isTrial ? "refused" : "once-more", deaths }, now);
    if (by.isTrial) known.state = "refused";
    else if (known.state === "noted") known.state = "once-more";
    known.deaths = deaths;
    known.until = later(now, SUSPECT_FOR_MS);
    return false;
  }

  /** It was answered to its end: what kills, kills again, so it was chance. Not taken back once it is refused. */
  answered(body: SuspectBody<Death>): void {
    if (body.state !== "refused") this.#remove(body);
  }

  /** The try ended without an answer and without a death. */
  trialEnded(body: SuspectBody<Death>): void {
    if (body.state === "on-trial") body.state = "once-more";
  }

  #find(identity: BodyIdentity, now: MonotonicMs): SuspectBody<Death> | null {
    if (!this.#sizes.has(identity.bytes)) return null;
    const found = this.#bodies.get(identity.fingerprint());
    if (found === undefined) return null;
    if (now < found.until) return found;
    this.#remove(found);
    return null;
  }

  #add(identity: BodyIdentity, found: Pick<SuspectBody<Death>, "state" | "deaths">, now: MonotonicMs): boolean {
    const oldest = this.#bodies.size >= this.#countMax ? [...this.#bodies.values()][0] : undefined;
    if (oldest !== undefined) this.#remove(oldest);
    const { bytes } = identity;
    const body = { ...found, bytes, fingerprint: identity.fingerprint(), until: later(now, SUSPECT_FOR_MS) };
    this.#bodies.set(body.fingerprint, body);
    this.#sizes.set(bytes, (this.#sizes.get(bytes) ?? 0) + 1);
    return oldest !== undefined;
  }

  #remove(body: SuspectBody<Death>): void {
    if (this.#bodies.get(body.fingerprint) !== body) return;
    this.#bodies.delete(body.fingerprint);
    const left = (this.#sizes.get(body.bytes) ?? 1) - 1;
    if (left > 0) this.#sizes.set(body.bytes, left);
    else this.#sizes.delete(body.bytes);
  }
}

const DEATHS_MAX = 8;
