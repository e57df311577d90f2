import { createConnection, type Socket } from "node:net";
import { err } from "../../base/result.ts";
import type { Clock, Timer } from "../../ports/clock.ts";
import { onJsonLines, sendJsonLine } from "./json-lines.ts";
import { parseAccountAnswer, type AccountAnswer, type AccountQuestion } from "./parse-account-message.ts";

const RECONNECT_EACH_MS = 100;

/** One connection to the process that keeps the account, made again whenever it breaks. */
export interface AccountClient {
  /** Asked again after a reconnect, so every question must bear repeating. ACCOUNT_UNAVAILABLE when the account stays away. */
  ask(question: AccountQuestion): { readonly id: number; readonly answer: Promise<AccountAnswer> };
  /** Without waiting for an answer; while the account is away it is not said. */
  tell(question: AccountQuestion): void;
  /** The answer is no longer wanted: ends what the account still does for it. */
  withdraw(id: number): void;
  close(): void;
}

interface Waiting {
  readonly question: AccountQuestion;
  readonly settle: (answer: AccountAnswer) => void;
}

export function createAccountClient(options: {
  readonly path: string;
  readonly clock: Clock;
  /** How long questions wait for an account that is away. */
  readonly patienceMs: number;
  /** Said first on every connection. */
  readonly greet: () => readonly AccountQuestion[];
}): AccountClient {
  const client = new Client(options);
  client.connect();
  return {
    ask: (question) => client.ask(question),
    tell: (question) => client.tell(question),
    withdraw: (id) => client.withdraw(id),
    close: () => client.close(),
  };
}

class Client {
  readonly #options: Parameters<typeof createAccountClient>[0];
  readonly #waiting = new Map<number, Waiting>();
  #socket: Socket | null = null;
  #isOpen = false;
  #isClosed = false;
  #lastId = 0;
  #givingUp: Timer | null = null;

  constructor(options: Parameters<typeof createAccountClient>[0]) {
    this.#options = options;
  }

  connect(): void {
    if (this.#isClosed) return;
    const socket = createConnection({ path: this.#options.path });
    this.#socket = socket;
    let reason = "the account closed the connection";
    socket.once("connect", () => this.#opened());
    socket.on("error", (cause) => (reason = cause.message));
    socket.once("close", () => this.#lost(reason));
    onJsonLines(socket, (message) => {
      const parsed = parseAccountAnswer(message);
      if (parsed === null) return void socket.destroy();
      this.#waiting.get(parsed.id)?.settle(parsed.result);
      this.#waiting.delete(parsed.id);
      this.#rest();
    });
    this.#rest();
  }

  ask(question: AccountQuestion): { readonly id: number; readonly answer: Promise<AccountAnswer> } {
    this.#lastId += 1;
    const id = this.#lastId;
    if (this.#isClosed) return { id, answer: Promise.resolve(unavailable("this end is closed")) };
    const answer = new Promise<AccountAnswer>((settle) => this.#waiting.set(id, { question, settle }));
    this.#rest();
    if (this.#isOpen) this.#send(id, question);
    else this.#giveUpLater("the account does not answer");
    return { id, answer };
  }

  withdraw(id: number): void {
    if (this.#waiting.delete(id)) this.tell({ ask: "abort", of: id });
    this.#rest();
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
    this.#failAll("this end is closed");
  }

  #opened(): void {
    this.#isOpen = true;
    this.#givingUp?.cancel();
    this.#givingUp = null;
    for (const question of this.#options.greet()) this.tell(question);
    for (const [id, { question }] of this.#waiting) this.#send(id, question);
  }

  #lost(reason: string): void {
    this.#isOpen = false;
    if (this.#isClosed) return;
    this.#options.clock.after(RECONNECT_EACH_MS, () => this.connect());
    if (this.#waiting.size > 0) this.#giveUpLater(reason);
  }

  #send(id: number, question: AccountQuestion): void {
    if (this.#socket !== null) sendJsonLine(this.#socket, { id, question });
  }

  tell(question: AccountQuestion): void {
    this.#lastId += 1;
    if (this.#isOpen) this.#send(this.#lastId, question);
  }

  #giveUpLater(reason: string): void {
    this.#givingUp ??= this.#options.clock.after(this.#options.patienceMs, () => {
      this.#givingUp = null;
      this.#failAll(reason);
    });
  }

  #failAll(reason: string): void {
    for (const { settle } of this.#waiting.values()) settle(unavailable(reason));
    this.#waiting.clear();
  }

  /** A connection alone keeps no process alive, an open question does. */
  #rest(): void {
    if (this.#waiting.size > 0) this.#socket?.ref();
    else this.#socket?.unref();
  }
}

const unavailable = (reason: string): AccountAnswer => err({ code: "ACCOUNT_UNAVAILABLE", reason });
