import type { WallMs } from "../base/ids.ts";
import type { ChunkTeller } from "../wire/own-surface.ts";
import { SseFrames } from "../wire/sse-frames.ts";
import type { ClientRequest } from "./client-request.ts";
import { IDS_FRAME_BYTES_MAX } from "./relay-stream.ts";
import type { Relay } from "./relay.ts";

const UNREADABLE = Buffer.from("data: ?\n\n");

/** Reads an engine's own events, for a relay that reads the OpenAI form. */
class ToldRelay implements Relay {
  readonly #relay: Relay;
  readonly #teller: ChunkTeller;
  readonly #frames = new SseFrames(IDS_FRAME_BYTES_MAX);

  constructor(relay: Relay, teller: ChunkTeller) {
    this.#relay = relay;
    this.#teller = teller;
  }

  data(lent: Uint8Array): void {
    const frames = this.#frames.push(lent);
    if (frames === null) return this.#relay.data(UNREADABLE);
    for (const frame of frames) for (const told of this.#teller.tell(frame)) this.#relay.data(told);
  }

  end(): void {
    this.#relay.end();
  }
}

/** The same relay where the engine was asked in the OpenAI form. @param journal of what its client is shown. */
export function toldBy(journal: ClientRequest["journal"], relay: Relay, { id, model, body }: ClientRequest, now: WallMs): Relay {
  const own = journal?.kind === "ids" ? journal.own : null;
  if (own === null) return relay;
  return new ToldRelay(relay, own.teller({ id: `cmpl-${id}`, model, createdSeconds: Math.floor(now / 1_000), body }));
}
