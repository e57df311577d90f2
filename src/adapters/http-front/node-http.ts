import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { Server as NetServer, type Socket } from "node:net";
import { err, ok, type Result } from "../../base/result.ts";
import type { EndpointAddress } from "../../api/route-table.ts";
import type { Handler, HttpFront, Listener, ListenError } from "../../ports/http-front.ts";
import { checkRequestHead, HEADERS_MAX } from "../../wire/http-request-rules.ts";
import { createHttpsServer, http } from "./lean-http.ts";
import { NodeExchange, type Connection } from "./node-exchange.ts";
import { answerOnSocket, openAiRefusal, refusalOf, type Refusal } from "./refusal.ts";
import type { TlsMaterial } from "./tls-files.ts";

export interface NodeHttpFrontOptions {
  /** A head that takes longer is answered 408. */
  readonly headersTimeoutMs?: number;
  /** A whole request that takes longer is answered 408. */
  readonly requestTimeoutMs?: number;
  /** How often the limits above and below are looked at; they may be exceeded by this much. */
  readonly checkIntervalMs?: number;
  /** A reader that takes no byte for so long is cut. */
  readonly writeStallMs?: number;
  readonly keepAliveTimeoutMs?: number;
  readonly connectionsMax?: number;
  /** A TLS handshake that takes longer is cut. */
  readonly handshakeTimeoutMs?: number;
}

/** Limits of facts that hold for both planes: a slow sender is gone within 10 s, a slow reader within 31 s. */
const DEFAULTS: Required<NodeHttpFrontOptions> = {
  headersTimeoutMs: 8_000,
  requestTimeoutMs: 30_000,
  checkIntervalMs: 1_000,
  writeStallMs: 30_000,
  keepAliveTimeoutMs: 5_000,
  // Streams stay open for minutes: well above 10,000 of them, well below the usual limit of open files.
  connectionsMax: 16_384,
  handshakeTimeoutMs: 8_000,
};
const MIN_TLS = "TLSv1.2";
const HEAD_BYTES_MAX = 16 * 1_024;

/** A listener that another process may be given, connections that wait in its accept queue included. */
export interface NodeListener extends Listener {
  /** For `ChildProcess.send`: the system counts both processes as holders, and resets nothing when one of them lets go. */
  readonly server: NetServer;
  /**
   * Accepts nothing more, and serves on what is open: each further answer says that its connection closes, and one that stays idle is
   * closed after the usual keep-alive time. So no client meets a connection that is closed under its request. Resolves when all are closed.
   */
  leave(): Promise<void>;
  /** New connections get that certificate; those that are open keep theirs. For a listener that began with one. */
  serveWith(tls: TlsMaterial): void;
}

export interface NodeHttpFront extends HttpFront {
  /**
   * @param at an address, or a server that came from another process.
   * @param tls speaks TLS 1.2 or newer with that certificate, and HTTP/1.1 inside; absent = plain.
   */
  listen(at: EndpointAddress | NetServer, handler: Handler, tls?: TlsMaterial): Promise<Result<NodeListener, ListenError>>;
}

/** HTTP/1.1 by node:http: llhttp parses, strictly; what it lets through is checked by `checkRequestHead`. */
export function createNodeHttpFront(options: NodeHttpFrontOptions = {}): NodeHttpFront {
  const limits = { ...DEFAULTS, ...options };
  return { listen: (at, handler, tls) => new HttpListener(limits, handler, tls ?? null).listen(at) };
}

class HttpListener {
  readonly #limits: Required<NodeHttpFrontOptions>;
  readonly #handler: Handler;
  readonly #server: Server | TlsServer;
  readonly #connections = new Map<Duplex, Connection>();
  #isClosing = false;
  #left: Promise<void> | null = null;

  constructor(limits: Required<NodeHttpFrontOptions>, handler: Handler, tls: TlsMaterial | null) {
    this.#limits = limits;
    this.#handler = handler;
    const options: ServerOptions = {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      maxHeaderSize: HEAD_BYTES_MAX,
      noDelay: true,
      // Asked for by checkRequestHead, whose answer says why.
      requireHostHeader: false,
    };
    this.#server = tls === null ? http.createServer(options) : createTlsServer(options, tls, limits.handshakeTimeoutMs);
    this.#server.maxHeadersCount = HEADERS_MAX;
    this.#server.maxConnections = limits.connectionsMax;
    this.#server.on(tls === null ? "connection" : "secureConnection", (socket: Socket) => this.#onConnection(socket));
    this.#server.on("request", (request, response) => this.#onRequest(request, response));
    this.#server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      // Behind another answer Node would write the interim one between this answer's head and its body. Its client has sent on without it.
      if (response.socket !== null) response.writeContinue();
      this.#onRequest(request, response);
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket));
    this.#server.on("checkExpectation", (_request, response) => {
      refuseResponse(response, { status: 417, code: "expectation_failed", message: "The only expectation met is 100-continue." });
    });
  }

  listen(at: EndpointAddress | NetServer): Promise<Result<NodeListener, ListenError>> {
    const asked = at instanceof NetServer ? addressOf(at) : at;
    return new Promise((resolve) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE";
        resolve(
          err(isTaken ? { code: "ADDRESS_IN_USE", address: asked } : { code: "ADDRESS_REFUSED", address: asked, reason: error.message }),
        );
      });
      const listening = (): void => resolve(ok(this.#listener(asked)));
      if (at instanceof NetServer) this.#server.listen(at, listening);
      else this.#server.listen({ host: at.host, port: at.port }, listening);
    });
  }

  #listener(asked: EndpointAddress): NodeListener {
    const sweeper = setInterval(() => this.#sweep(), this.#limits.checkIntervalMs).unref();
    return {
      server: this.#server,
      address: { host: asked.host, port: addressOf(this.#server).port },
      leave: () => this.#leave(),
      serveWith: (tls) => {
        if ("setSecureContext" in this.#server) this.#server.setSecureContext(contextOf(tls));
      },
      close: async (graceMs) => {
        await this.#close(graceMs);
        clearInterval(sweeper);
      },
    };
  }

  #onConnection(socket: Socket): void {
    const connection: Connection = { socket, exchanges: new Set(), isRefused: false, lingerUntilMs: null };
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      for (const exchange of connection.exchanges) exchange.connectionClosed();
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    // A socket that closed while its last bytes were parsed; or what follows a refused head, of which nobody knows what it is.
    if (connection === undefined || connection.isRefused) return;
    const { method = "", url = "", httpVersion, rawHeaders } = request;
    const refused = checkRequestHead(method, url, httpVersion, rawHeaders);
    if (refused !== null) {
      connection.isRefused = true;
      return refuseResponse(response, refused);
    }
    if (this.#isClosing) response.shouldKeepAlive = false;
    new NodeExchange(connection, request, response).start(this.#handler);
  }

  /** What llhttp or a time limit refused. An answer that has begun cannot become another one: such a connection is only cut. */
  #onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    // The refusal is on its way, and closes.
    if (connection?.isRefused === true) return;
    // A handshake that failed: there is nothing to say a refusal in.
    if (connection === undefined) return void socket.destroy();
    const exchanges = [...connection.exchanges];
    const hasBegun = exchanges.some((exchange) => exchange.hasBegun);
    if (error.code === "ECONNRESET" || !socket.writable || hasBegun) socket.destroy();
    else answerOnSocket(socket, refusalOf(error.code ?? ""));
    // The handlers' own answers must not follow on the same socket.
    for (const exchange of exchanges) exchange.connectionClosed();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const { socket, exchanges, lingerUntilMs } of this.#connections.values()) {
      if (lingerUntilMs !== null && nowMs >= lingerUntilMs) socket.destroy();
      for (const exchange of exchanges) {
        if (exchange.isStalled(nowMs, this.#limits.writeStallMs)) socket.destroy();
      }
    }
  }

  /** Not node:http's own close, which ends idle connections at once, also those whose next request is on its way. */
  #leave(): Promise<void> {
    this.#isClosing = true;
    for (const { exchanges } of this.#connections.values()) for (const exchange of exchanges) exchange.closeIfUnbegun();
    this.#left ??= new Promise((resolve) => {
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
    return this.#left;
  }

  async #close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    // Also after `leave`: it ends idle connections, and node:http's own looks at slow ones.
    const closing = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    const closed = this.#left ?? closing;
    for (const { exchanges } of this.#connections.values()) {
      for (const exchange of exchanges) exchange.closeAfterwards();
    }
    const killer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(killer);
  }
}

const contextOf = ({ cert, key }: TlsMaterial): { cert: string; key: string; minVersion: typeof MIN_TLS } => ({
  cert,
  key,
  minVersion: MIN_TLS,
});

/** No callback of ours runs in a handshake, neither for names nor for protocols: there is nothing that could throw. */
function createTlsServer(options: ServerOptions, tls: TlsMaterial, handshakeTimeout: number): TlsServer {
  return createHttpsServer({ ...options, ...contextOf(tls), handshakeTimeout, ALPNProtocols: ["http/1.1"] });
}

function addressOf(server: NetServer): EndpointAddress {
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? { host: bound.address, port: bound.port } : { host: "", port: 0 };
}

function refuseResponse(response: ServerResponse, refusal: Refusal): void {
  const { headers, body } = openAiRefusal(refusal);
  response.shouldKeepAlive = false;
  response.writeHead(refusal.status, [...headers]);
  response.end(body);
}
