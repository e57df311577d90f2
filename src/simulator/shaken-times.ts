/** What a service needs after it is whole again, until every gateway has taken its engines back. */
const CALM_AFTER_MS = 3_000;

interface Span {
  readonly fromMs: number;
  /** The fault itself is over then. */
  faultEndsMs: number;
  /** null = not yet. */
  toMs: number | null;
}

/** When each service had something of its own broken, and until when it was not as configured. */
export class ShakenTimes {
  readonly #spans = new Map<string, Span[]>();
  readonly #wholeSince = new Map<string, number>();

  shake(service: string, atMs: number, untilMs: number): void {
    const spans = this.#spans.get(service) ?? [];
    this.#spans.set(service, spans);
    this.#wholeSince.delete(service);
    const open = spans.find(({ toMs }) => toMs === null);
    if (open === undefined) spans.push({ fromMs: atMs, faultEndsMs: untilMs, toMs: null });
    else open.faultEndsMs = Math.max(open.faultEndsMs, untilMs);
  }

  /** Asks at each look whether the service is as configured, if that matters now. */
  see(service: string, atMs: number, isWhole: () => boolean): void {
    const open = this.#spans.get(service)?.find(({ toMs }) => toMs === null);
    if (open === undefined) return;
    if (!isWhole() || atMs < open.faultEndsMs) {
      this.#wholeSince.delete(service);
      return;
    }
    const since = this.#wholeSince.get(service) ?? atMs;
    this.#wholeSince.set(service, since);
    if (atMs - since >= CALM_AFTER_MS) open.toMs = atMs;
  }

  /** Nothing of its own was broken in all that time. */
  wasCalm(service: string, fromMs: number, untilMs: number): boolean {
    const spans = this.#spans.get(service) ?? [];
    return !spans.some((span) => span.fromMs <= untilMs && (span.toMs === null || span.toMs >= fromMs));
  }
}
