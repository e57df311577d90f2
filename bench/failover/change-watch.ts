import { SERVICES_PATH } from "./platform-status.ts";

const RECORDS_PATH = SERVICES_PATH.replace("hotstandbyconfigs", "failoverrecords");

/** Every stored write of services and FailoverRecords, as the admin API tells of it while its control plane lives. */
export class ChangeWatch {
  writes = 0;
  readonly #aborted = new AbortController();
  #onWrite: (count: number) => void = () => undefined;
  #wholeStreams = 0;

  /** Resolves when both streams have told what was there before. */
  static async open(adminPort: number): Promise<ChangeWatch> {
    const watch = new ChangeWatch();
    await Promise.all([SERVICES_PATH, RECORDS_PATH].map((path) => watch.#read(`http://127.0.0.1:${adminPort}${path}?watch=true`)));
    return watch;
  }

  /** From now on: counts anew, and calls back at once with each write. */
  listen(onWrite: (count: number) => void): void {
    this.writes = 0;
    this.#onWrite = onWrite;
  }

  close(): void {
    this.#onWrite = () => undefined;
    this.#aborted.abort();
  }

  async #read(url: string): Promise<void> {
    const answer = await fetch(url, { signal: this.#aborted.signal });
    if (!answer.ok || answer.body === null) throw new Error(`The admin API does not let us watch ${url}: ${answer.status}.`);
    const wholeBefore = this.#wholeStreams;
    await new Promise<void>((resolve, reject) => {
      this.#follow(answer.body ?? new ReadableStream(), resolve).then(() => {
        if (this.#wholeStreams === wholeBefore) reject(new Error(`The watch of ${url} ended before it had begun.`));
      }, reject);
    });
  }

  /** Ends when the stream does: with the control plane that wrote it. */
  async #follow(body: ReadableStream<Uint8Array>, whole: () => void): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    let isWhole = false;
    try {
      for await (const bytes of body) {
        rest += decoder.decode(bytes, { stream: true });
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const type = /"type":\s*"([A-Z]+)"/.exec(line)?.[1];
          if (type === "BOOKMARK" && !isWhole) {
            isWhole = true;
            this.#wholeStreams += 1;
            whole();
          } else if (isWhole && (type === "ADDED" || type === "MODIFIED" || type === "DELETED")) this.#onWrite((this.writes += 1));
        }
      }
    } catch {
      // The control plane was killed, or the watch was closed: what was counted stays.
      return;
    }
  }
}
