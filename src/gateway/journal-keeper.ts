import type { ChunkReading } from "../wire/chunk-extras.ts";
import type { ClientRequest } from "./client-request.ts";
import { JOURNAL_BYTES_MAX } from "./continue-stream.ts";
import type { JournalRoom } from "./journal-room.ts";
import { ShownJournal } from "./shown-journal.ts";

/**
 * Keeps what an engine says of an answer that begins at it; the request's from its first byte on. Where the first text tells that ids will
 * not do, it is kept by its chunks, to be made again and compared: ids do not tell what a parser of reasoning makes of them, which comes
 * first, and an engine that is asked on its own surface may tell no prompt.
 */
export class JournalKeeper {
  readonly #request: Pick<ClientRequest, "journal">;
  readonly #room: JournalRoom;
  /** null = nothing is kept. */
  journal: ClientRequest["journal"];

  constructor(request: Pick<ClientRequest, "journal">, journal: ClientRequest["journal"], room: JournalRoom) {
    this.#request = request;
    this.#room = room;
    this.journal = journal;
  }

  take(reading: ChunkReading): void {
    const { journal } = this;
    if (
      journal?.kind === "ids" &&
      !journal.hasShown &&
      (reading.isParsed || (reading.isShowing && journal.own !== null && !journal.tells(reading)))
    ) {
      journal.close();
      this.journal = new ShownJournal(JOURNAL_BYTES_MAX, this.#room);
      if (this.#request.journal === journal) this.#request.journal = this.journal;
    }
    this.journal?.take(reading);
  }
}
