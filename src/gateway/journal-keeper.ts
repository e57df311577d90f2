import type { ChunkReading } from "../wire/chunk-extras.ts";
import type { ClientRequest } from "./client-request.ts";
import { JOURNAL_BYTES_MAX } from "./continue-stream.ts";
import type { JournalRoom } from "./journal-room.ts";
import { ShownJournal } from "./shown-journal.ts";

/**
 * Keeps what a client is shown in its request's journal. Reasoning comes first where its engine parses it, and ids do not tell what its
 * parser made of them: such an answer is kept by its chunks from there on, to be made again and compared. null = nothing is kept.
 */
export function keeperOf(request: ClientRequest, room: JournalRoom): { take(reading: ChunkReading): void } | null {
  if (request.journal === null) return null;
  return {
    take: (reading) => {
      const { journal } = request;
      if (journal?.kind === "ids" && reading.isParsed && !journal.hasShown) {
        journal.close();
        request.journal = new ShownJournal(JOURNAL_BYTES_MAX, room);
      }
      request.journal?.take(reading);
    },
  };
}
