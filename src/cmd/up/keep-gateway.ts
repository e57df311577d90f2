import { join } from "node:path";
import { signal } from "../../adapters/process/end-process.ts";
import { environmentOf, identify, isAlive, type ProcessIdentity } from "../../adapters/process/process-identity.ts";
import { readRunRecord } from "../../adapters/process/run-record.ts";
import { ok, type Explanation, type Result } from "../../base/result.ts";
import type { Timer } from "../../ports/clock.ts";
import { holderOfPort } from "../port-holder.ts";
import { TAKEN_FROM } from "../gateway/hand-over.ts";
import { keepHelper, type HelperPorts } from "./helper-processes.ts";
import type { StateDir } from "./state-dir.ts";

export interface KeptGateway {
  stop(graceMs: number): Promise<void>;
}

export interface GatewayStart {
  readonly name: string;
  readonly port: number;
  readonly arguments: readonly string[];
}

const LOOK_EVERY_MS = 250;
const END_LOOK_MS = 20;
const NEVER = new AbortController().signal;

/**
 * Keeps a gateway running. One that somebody started by hand while no control plane was there serves on: clients are
 * worth more than who started it. When it ends, one of ours takes its place.
 */
export async function keepGateway(start: GatewayStart, state: StateDir, ports: HelperPorts): Promise<Result<KeptGateway, Explanation>> {
  const guest = await findGuest(start, state);
  if (guest === null) return keepHelper(start.name, start.arguments, state, ports);
  ports.say(`The gateway that was started by hand serves on, pid ${guest.pid}.`);
  return ok(new GuestKeeper(guest, start, state, ports));
}

/** The process on record, while it runs. */
export async function recordedAlive(name: string, state: StateDir): Promise<ProcessIdentity | null> {
  const record = await readRunRecord(join(state.runFolder, `${name}.json`));
  if (record === null || record.pid === null || record.startTicks === null) return null;
  const identity = { pid: record.pid, startTicks: record.startTicks };
  return isAlive(identity) ? identity : null;
}

/** The gateway of this state directory that runs now, whoever started it. */
export const runningGateway = async (start: Pick<GatewayStart, "name" | "port">, state: StateDir): Promise<ProcessIdentity | null> =>
  (await recordedAlive(start.name, state)) ?? (await findGuest(start, state));

/** Who holds the port, when it is not the process on record. That it belongs to this state directory was seen before. */
async function findGuest({ name, port }: Pick<GatewayStart, "name" | "port">, state: StateDir): Promise<ProcessIdentity | null> {
  // The usual case needs no search through all processes.
  if ((await recordedAlive(name, state)) !== null) return null;
  const holder = holderOfPort(port);
  if (holder === null) return null;
  return identify(holder.pid);
}

class GuestKeeper implements KeptGateway {
  #guest: ProcessIdentity;
  readonly #start: GatewayStart;
  readonly #state: StateDir;
  readonly #ports: HelperPorts;
  #timer: Timer | null = null;
  #own: Promise<KeptGateway | null> | null = null;
  #isStopped = false;

  constructor(guest: ProcessIdentity, start: GatewayStart, state: StateDir, ports: HelperPorts) {
    this.#guest = guest;
    this.#start = start;
    this.#state = state;
    this.#ports = ports;
    this.#lookLater();
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    const own = await this.#own;
    if (own !== null && own !== undefined) return own.stop(graceMs);
    await this.#endGuest(graceMs);
  }

  #lookLater(): void {
    this.#timer = this.#ports.clock.after(LOOK_EVERY_MS, () => {
      if (this.#isStopped) return;
      if (isAlive(this.#guest)) this.#lookLater();
      else this.#own = this.#takeItsPlace();
    });
  }

  async #takeItsPlace(): Promise<KeptGateway | null> {
    const next = await findGuest(this.#start, this.#state);
    if (next !== null && environmentOf(next.pid, TAKEN_FROM) === `${this.#guest.pid}`) {
      this.#guest = next;
      this.#ports.say(`The gateway that was started by hand gave its place to process ${next.pid}.`);
      if (!this.#isStopped) this.#lookLater();
      return null;
    }
    const kept = await keepHelper(this.#start.name, this.#start.arguments, this.#state, this.#ports);
    if (kept.ok) {
      this.#ports.say(`The gateway that was started by hand ended; ${this.#start.name} took its place.`);
      return kept.value;
    }
    this.#ports.say(`${kept.error.what} ${kept.error.why}`);
    return null;
  }

  /** It may stand in a process group of somebody else: only it is signalled. */
  async #endGuest(graceMs: number): Promise<void> {
    const { clock } = this.#ports;
    const startedAt = clock.monotonicMs();
    if (graceMs > 0 && isAlive(this.#guest)) signal(this.#guest.pid, "SIGTERM");
    while (isAlive(this.#guest)) {
      if (clock.monotonicMs() - startedAt >= graceMs) signal(this.#guest.pid, "SIGKILL");
      await clock.sleep(END_LOOK_MS, NEVER);
    }
  }
}
