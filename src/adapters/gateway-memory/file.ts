import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { GatewayMemory, GatewaySnapshot } from "../../ports/gateway-memory.ts";
import { parseSnapshot, renderSnapshot } from "./parse-snapshot.ts";

/** `<folder>/memory.json`, replaced as a whole. */
export const createFileGatewayMemory = (folder: string): GatewayMemory => new FileGatewayMemory(folder);

class FileGatewayMemory implements GatewayMemory {
  readonly #folder: string;
  readonly #path: string;
  #waiting: { readonly snapshot: GatewaySnapshot; readonly saved: PromiseWithResolvers<boolean> } | null = null;
  #isWriting = false;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, "memory.json");
  }

  async load(): Promise<GatewaySnapshot | null> {
    try {
      return parseSnapshot(await readFile(this.#path, "utf8"));
    } catch {
      // None yet, or not ours to read: the gateway starts without a memory, as on its first day.
      return null;
    }
  }

  save(snapshot: GatewaySnapshot): Promise<boolean> {
    // Whoever waited for an older snapshot has its answer with the newer one, which holds all that is still true of it.
    const saved = this.#waiting?.saved ?? Promise.withResolvers<boolean>();
    this.#waiting = { snapshot, saved };
    if (!this.#isWriting) void this.#writeWaiting();
    return saved.promise;
  }

  async #writeWaiting(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#waiting; next !== null; next = this.#waiting) {
      this.#waiting = null;
      next.saved.resolve(await this.#write(next.snapshot));
    }
    this.#isWriting = false;
  }

  async #write(snapshot: GatewaySnapshot): Promise<boolean> {
    const draftPath = `${this.#path}.new`;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeAndSync(draftPath, renderSnapshot(snapshot));
      await rename(draftPath, this.#path);
      await syncFolder(this.#folder);
      return true;
    } catch {
      // A full disk is not the end of serving; the caller reports it.
      await rm(draftPath, { force: true }).catch(() => false);
      return false;
    }
  }
}

async function writeAndSync(path: string, text: string): Promise<void> {
  await using file = await open(path, "w", 0o600);
  await file.writeFile(text);
  await file.sync();
}

/** Makes the rename itself survive a loss of power. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}
