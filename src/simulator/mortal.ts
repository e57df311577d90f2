import { NEVER, type ProcessLife } from "./process-life.ts";

/** `before`: the call is not made. `after`: it is made, and its caller never hears of it. */
export type CrashPoint = "before" | "after";

/** An order to die. */
export interface Crash<Site extends string> {
  readonly point: CrashPoint;
  /** Is this the call at which it dies? */
  isAt(site: Site): boolean;
  /** Called in the moment of death. */
  died(at: Site): void;
}

/** An order to stand still at a call, as by SIGSTOP there: `before`, the call is made when the process goes on. */
export interface Standstill<Site extends string> {
  readonly point: CrashPoint;
  /** @param target of an HTTP call; empty for all others. */
  isAt(site: Site, target: string): boolean;
  /** Called there; stops the process. */
  stop(site: Site): void;
}

/** Every call of one process to the world passes through here: it dies at one of them when it is told to. The dead neither ask nor hear. */
export class Mortal<Site extends string> {
  readonly life: ProcessLife;
  #crash: Crash<Site> | null = null;
  #standstill: Standstill<Site> | null = null;

  constructor(life: ProcessLife) {
    this.life = life;
  }

  /** Dies at the next such call. A second order replaces the first. */
  dieAt(crash: Crash<Site>): void {
    this.#crash = crash;
  }

  /** No order stands any more. */
  spare(): void {
    this.#crash = null;
  }

  /** Stands still at the next such call. A second order replaces the first; null takes it back. */
  standAt(standstill: Standstill<Site> | null): void {
    this.#standstill = standstill;
  }

  ask<Value>(site: Site, call: () => Promise<Value>): Promise<Value> {
    if (this.life.isDead) return NEVER;
    const standstill = this.#standstillAt(site, "");
    if (standstill !== null) {
      const asked = standstill.point === "after" ? call() : null;
      standstill.stop(site);
      if (asked !== null) return this.life.answer(asked);
      return new Promise<void>((resolve) => this.life.run(resolve)).then(() => this.ask(site, call));
    }
    const crash = this.#crash;
    if (crash === null || !crash.isAt(site)) return this.life.answer(call());
    if (crash.point === "before") {
      this.#die(crash, site);
      return NEVER;
    }
    const answer = this.life.answer(call());
    this.#die(crash, site);
    return answer;
  }

  /** For a call that is answered at once. @param nothing what the dead get. */
  tell<Value>(site: Site, nothing: Value, call: () => Value, target = ""): Value {
    if (this.life.isDead) return nothing;
    const standstill = this.#standstillAt(site, target);
    if (standstill !== null) {
      const told = standstill.point === "after" ? call() : nothing;
      standstill.stop(site);
      if (standstill.point === "before") this.life.run(() => void call());
      return told;
    }
    const crash = this.#crash;
    if (crash === null || !crash.isAt(site)) return call();
    if (crash.point === "after") call();
    this.#die(crash, site);
    return nothing;
  }

  /** What a listener of this process is told, it is told as the process may hear it. */
  hear<News>(listener: (news: News) => void, listen: (heard: (news: News) => void) => { stop(): void }): { stop(): void } {
    const listening = listen((news) => this.life.run(() => listener(news)));
    this.life.onEnd(() => listening.stop());
    return listening;
  }

  #standstillAt(site: Site, target: string): Standstill<Site> | null {
    const standstill = this.#standstill;
    if (standstill === null || !standstill.isAt(site, target)) return null;
    this.#standstill = null;
    return standstill;
  }

  #die(crash: Crash<Site>, site: Site): void {
    this.#crash = null;
    this.life.end();
    crash.died(site);
  }
}
