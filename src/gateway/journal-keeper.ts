import type { ChunkReading } from "../wire/chunk-extras.ts";
import type { ClientRequest } from "./client-request.ts";
import { JOURNAL_BYTES_MAX } from "./continue-stream.ts";
import type { JournalRoom } from "./journal-room.ts";
import { ShownJournal } from "./shown-journal.ts";

/**
 * Keeps what an engine says of an answer that begins at it; the request's from its first byte on. Reasoning comes first where its engine parses it, and
 * ids do not tell what its parser made of them: such an answer is kept by its chunks from there on, to be made again and compared.
 */
export class JournalKeeper {
  readonly #request: ClientRequest;
  readonly #room: JournalRoom;
  /** null = nothing is kept. */
  journal: ClientRequest["journal"];

  constructor(request: ClientRequest, journal: ClientRequest["journal"], room: JournalRoom) {
    this.#request = request;
    this.#room = room;
    this.journal = journal;
  }

  take(reading: ChunkReading): void {
    const { journal } = this;
    if (journal?.kind === "ids" && reading.isParsed && !journal.hasShown) {
      journal.close();
      this.journal = new ShownJournal(JOURNAL_BYTES_MAX, this.#room);
      if (this.#request.journal === journal) this.#request.journal = this.journal;
    }
    this.journal?.take(reading);
  }
}
