// Generated from native/binding/src by scripts/generate. Do not edit.

/**
 * A request as uWebSockets.js has read it enters: `address` is the client's, 4 or 16 bytes, and `head` its text as
 * decoded from UTF-8. Otherwise as `doorRequest`, but no answer has a `date`: the library writes its own. Throws also
 * when a byte of the head was none of UTF-8, for the library has lost it.
 */
export declare function doorRequestFrom(proxy: number, listener: number, address: ArrayBuffer, head: string, more: boolean): number

/**
 * A request enters. `client` is `ip:port`, or empty when it has no address. `head` is latin1 as HTTP/1.1 writes it, the
 * empty line at its end included, with content-length or `transfer-encoding: chunked` where a body follows; `more`
 * says that one does. Its bytes follow by `doorBody`, without framing. Returns the exchange's number.
 */
export declare function doorRequest(proxy: number, listener: number, client: string, head: string, more: boolean): number

/**
 * Asks the process that listens at `path` for its listening sockets and keeps them for the first snapshot. Returns how
 * many there are; -1 when no process listens there.
 */
export declare function takeSockets(proxy: number, path: string, timeoutMs: number): number

/**
 * Bytes of a request's body, copied during the call; `last` says that it ends with them. False: send no more until event
 * 5. What is sent to an exchange that is over is dropped.
 */
export declare function doorBody(exchange: number, chunk: Uint8Array, last: boolean): boolean

/**
 * Changes the endpoints of one cluster between two snapshots: an encoded `EndpointUpdate`. Returns JSON:
 * `{added, changed, removed, rejected}`.
 */
export declare function updateEndpoints(proxy: number, update: Buffer): string

/**
 * Ends what this thread does for the proxy: listening, connections, exchanges. True while some of it is left: call
 * again after a turn of the loop, then `detach`. For a thread that lives on.
 */
export declare function leave(proxy: number): boolean

/**
 * Sends a route's requests elsewhere until the next snapshot, or back. `asked` is JSON: `{route, to}` with `to` as
 * `{cluster, percent}` or null. Returns JSON: `{generation, rejected}`.
 */
export declare function switchRoute(proxy: number, asked: string): string

/**
 * Where a request would go, as JSON: `{rejected, answers}`, one answer for each listener that is asked about. `question`
 * is JSON: `{method, target, headers, client, listener}`.
 */
export declare function explain(snapshot: Buffer, question: string): string

/**
 * Where recorded requests would go, as JSON: `{rejected, headers, redacted, decisions}`, with the headers that records would
 * keep and a decision for each question. `questions` is a list as of `explain`, each with its listener.
 */
export declare function replay(snapshot: Buffer, questions: string): string

/** A certificate for the key of a request (PEM), signed on the thread pool. The same JSON, `key` null. */
export declare function signRequest(signer: number, request: string, terms: string): Promise<string>

/** A certificate with a new key: JSON `{uris, hosts, serial, notBefore, notAfter}` in, `{certificate, key, publicKey}` out. */
export declare function issueCertificate(signer: number, terms: string): string

/** A list of what the signer's authority has taken back: JSON `{number, thisUpdate, nextUpdate, revoked}` in, PEM out. */
export declare function signRevocations(signer: number, list: string): string

/** A new proxy with so many workers. Returns its number in this process. */
export declare function createProxy(name: string, workers: number): number

/** A request with a new key and no name: JSON `{request, key}`. */
export declare function createRequest(): string

/** A root that signs itself: JSON `{name, trustDomain, serial, notBefore, notAfter}` in, `{certificate, key}` out. */
export declare function createRoot(terms: string): string

/** A worker's thread has ended or left; another one may attach in its place. */
export declare function detach(proxy: number, worker: number): void

/** An intermediate under the root of the signer; `key` when it keeps its own. The same JSON as for a root. */
export declare function createIntermediate(signer: number, terms: string, key?: string | undefined | null): string

/** Begins the drain, or extends it. `keep_outbound`: not yet for the listeners of the application's own requests. */
export declare function stopAccepting(proxy: number, keepOutbound: boolean): void

/** Brings the result that a call promised under `ticket`. False: its exchange is over, or did not wait as long. */
export declare function scriptResume(slot: number, ticket: number, result: undefined | string | [string, Uint8Array]): boolean

/** Collects one ended child process that nobody waits for. False: there was nothing to collect. */
export declare function reap(pid: number): boolean

/** Durations by route, cluster and endpoint as HDR histograms (V2, compressed, base64), as JSON. */
export declare function histograms(proxy: number): string

/** Everything about the newest exchange with this request id, as JSON; `null` when there is no record of it. */
export declare function why(proxy: number, id: string): string

/** Everything that was counted, as JSON. */
export declare function stats(proxy: number): string

/** Exchanges and tunnels that are still open; in a drain those that it is about. */
export declare function active(proxy: number): number

/** Forgets a proxy whose workers have ended. */
export declare function closeProxy(proxy: number): void

/** Forgets a signer and its key. */
export declare function closeSigner(signer: number): void

/** Hands this process's listening sockets to the process at the other end of an open unix socket. */
export declare function sendSockets(proxy: number, descriptor: number): void

/** Has this thread's filters run by `call`, see above. A later call replaces it. */
export declare function scriptHost(call: (script: number, slot: number, phase: number, text: string | null, bytes: Uint8Array | null, last: boolean) => undefined | string | [string, Uint8Array] | number): void

/** JSON `{uid, gid, pid}` of the process that connected the Unix socket with this descriptor. */
export declare function readPeer(descriptor: number): string

/** One number per worker: tasks of its present thread that panicked. */
export declare function panics(proxy: number): Array<number>

/** One number per worker; each grows at least every 250 ms while that worker's loop turns. */
export declare function heartbeats(proxy: number): Array<number>

/** Opens every access log again. Returns JSON: those that could not be opened, with the reason. */
export declare function reopenLogs(proxy: number): string

/** Parts of clusters that are short of healthy endpoints now, as JSON; cheap to ask for often. */
export declare function shortages(proxy: number): string

/** Puts an encoded snapshot in force, all of it or nothing. Returns JSON: `{generation, unchanged, rejected, listeners}`. */
export declare function apply(proxy: number, snapshot: Buffer): string

/** Routes whose requests go elsewhere than configured, the oldest switch first, as JSON. */
export declare function switches(proxy: number): string

/** Serves the proxy on this thread's loop from now on, as the worker with this index. */
export declare function attach(proxy: number, worker: number): void

/** Sets who is called with the events of all exchanges of this thread; once per thread. It must not throw. */
export declare function doorEvents(callback: (arg0: number, arg1: number, arg2: string | undefined | null, arg3: Uint8Array | undefined | null, arg4: number) => void): void

/** Takes an authority's certificate and key (PEM) and returns the number under which it signs. */
export declare function openSigner(certificate: string, key: string): number

/** The client has gone: the exchange ends, and nothing more is told of it. */
export declare function doorAbort(exchange: number): void

/** The client takes more again. */
export declare function doorResume(exchange: number): void

/** The client takes no more: the answer is not read on. */
export declare function doorPause(exchange: number): void

/** The number that `doorRequest` knows a listener by on this thread: the same for this name in all configurations. */
export declare function doorListener(proxy: number, name: string): number

/** The records that fit a question, newest first, as JSON. The question is JSON too. */
export declare function records(proxy: number, query: string): string

/** The same of the configuration that a proxy serves now, with what has happened to it since it was applied. */
export declare function explainServed(proxy: number, question: string): string

/** Version of the addon. */
export declare function version(): string

/** Waits until what was logged is written, at most so long. False: some of it could not be. */
export declare function flushLogs(proxy: number, timeoutMs: number): boolean

/** What happened to endpoints since the last call, as JSON: `{events, lost}`; an empty text when nothing did. */
export declare function events(proxy: number): string

/** What the engine would refuse of a snapshot, as JSON: a list of `{path, code, message}`. Nothing comes into force. */
export declare function check(snapshot: Buffer): string
