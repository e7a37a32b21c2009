/**
 * `defineSocket`: what a module says about the WebSockets of a path. A definition is data and functions; it opens nothing
 * and may stand in any number of listeners and threads.
 */

/** The mark by which a definition is known, also when two copies of this package are loaded. */
export const socketMark = Symbol.for('weftmesh.socket')

/** A schema of zod, valibot, arktype and others: https://standardschema.dev. It must answer at once. */
export interface OptionsSchema<Options> {
  readonly '~standard': {
    readonly validate: (value: unknown) => unknown
    readonly types?: { readonly output: Options } | undefined
  }
}

/** The request that asked for the WebSocket, as the listener's filters left it. */
export interface SocketRequest {
  readonly path: string
  /** Without the question mark; empty when there is none. */
  readonly query: string
  /** `ip:port`; empty where it is not known. */
  readonly client: string
  readonly headers: {
    /** Lines of one name are joined by a comma; null when there is none. */
    get(name: string): string | null
    entries(): [name: string, value: string][]
  }
}

export interface Socket<State = unknown> {
  readonly request: SocketRequest
  /** What `state` returned for this socket; it is the handlers' own. */
  state: State
  /** Bytes that the client has not taken yet. */
  readonly bufferedBytes: number
  readonly closed: boolean
  /**
   * Text is sent as text, bytes as binary. False: the client is slower than what it is sent, wait for `drain`; or the
   * socket is closed. Over `maxBufferedBytes` it is closed with 1013.
   */
  send(data: string | Uint8Array): boolean
  /** 1000 to 1014 as in RFC 6455, or 3000 to 4999; a reason is cut to 123 bytes. */
  close(code?: number, reason?: string): void
  /** False: it was subscribed already, or is closed. */
  subscribe(topic: string): boolean
  unsubscribe(topic: string): boolean
  /** To every other subscriber, in every thread of the proxy. */
  publish(topic: string, data: string | Uint8Array): void
}

export interface SocketContext<Options = unknown> {
  readonly options: Options
  /** Name of the listener. */
  readonly listener: string
  /** To every subscriber, in every thread of the proxy. */
  publish(topic: string, data: string | Uint8Array): void
  log(message: string, fields?: Record<string, string | number | boolean | null>): void
}

/** Instead of a WebSocket. */
export interface UpgradeAnswer {
  status: number
  headers?: Record<string, string>
  body?: string
}

export interface SocketHandlers<State = undefined, Options = unknown> {
  /** For logs. */
  name: string
  options?: OptionsSchema<Options>
  /** Subprotocols, the best first; a client that offers none of them gets a socket without one. */
  protocols?: readonly string[]
  /** Refuses with an answer; nothing lets the WebSocket be opened. */
  upgrade?(
    request: SocketRequest,
    context: SocketContext<Options>,
    // biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the usual one
  ): UpgradeAnswer | void | undefined | Promise<UpgradeAnswer | void | undefined>
  /** The state of a new socket. */
  state?(request: SocketRequest, context: SocketContext<Options>): State
  open?(socket: Socket<State>, context: SocketContext<Options>): unknown
  /** A whole message: text as a string, binary as bytes that are the handler's own. */
  message?(socket: Socket<State>, data: string | Buffer, isBinary: boolean, context: SocketContext<Options>): unknown
  /** What was buffered has become less. */
  drain?(socket: Socket<State>, context: SocketContext<Options>): unknown
  /** 1005: closed without a code; 1006: the connection broke. */
  close?(socket: Socket<State>, code: number, reason: string, context: SocketContext<Options>): unknown
}

export type SocketDefinition<State = undefined, Options = unknown> = Readonly<SocketHandlers<State, Options>> & {
  readonly [socketMark]: true
}

/** A definition whatever its state and options are. */
// biome-ignore lint/suspicious/noExplicitAny: State and Options stand on both sides of functions
export type AnySocket = SocketDefinition<any, any>

const handlers = ['upgrade', 'state', 'open', 'message', 'drain', 'close'] as const
const keys: readonly string[] = ['name', 'options', 'protocols', ...handlers]

/** Throws a `TypeError` that says what is wrong with the definition. */
export function defineSocket<State = undefined, Options = unknown>(
  definition: SocketHandlers<State, Options>,
): SocketDefinition<State, Options> {
  if (typeof definition !== 'object' || definition === null) throw new TypeError('defineSocket takes an object')
  const { name } = definition
  if (typeof name !== 'string' || name === '') throw new TypeError('a socket needs a name')
  for (const key of Object.keys(definition)) {
    if (!keys.includes(key)) throw new TypeError(`socket ${name}: ${key} is not known; known: ${keys.join(', ')}`)
  }
  for (const key of handlers) {
    const handler = definition[key]
    if (handler !== undefined && typeof handler !== 'function')
      throw new TypeError(`socket ${name}: ${key} is no function`)
  }
  for (const protocol of definition.protocols ?? []) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(protocol)) {
      throw new TypeError(`socket ${name}: ${JSON.stringify(protocol)} is not the name of a subprotocol`)
    }
  }
  if (definition.options !== undefined && typeof definition.options['~standard']?.validate !== 'function') {
    throw new TypeError(`socket ${name}: options is no schema`)
  }
  return Object.freeze({ ...definition, [socketMark]: true as const })
}

export function isSocketDefinition(value: unknown): value is AnySocket {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[socketMark] === true
}
