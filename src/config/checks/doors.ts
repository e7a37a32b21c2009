/**
 * What a listener may not ask for when uWebSockets.js accepts its connections: keys that its library decides by itself.
 *
 * Invariant: they read what was written, so that a default is no contradiction; nothing written here is ever ignored.
 */
import { memoryAddress, unixPrefix } from '../forms/address.js'
import { parseSize } from '../forms/size.js'
import type { Finding } from './findings.js'
import type { Path } from './path.js'

/** Bytes and lines of a request head that uWebSockets.js takes however the network cuts it. */
export const doorHead = { bytes: 4_096, lines: 48 } as const

/** The library's own clock: whoever sends nothing for so long is closed. */
export const doorIdleSeconds = 10

/** Limits that only the native engine keeps, with the reason why the door cannot. */
const unkept: Record<string, string> = {
  maxConnections: 'uWebSockets.js does not count connections',
  headersTimeout: `uWebSockets.js has a clock of its own: ${doorIdleSeconds} s`,
  idleTimeout: `uWebSockets.js has a clock of its own: ${doorIdleSeconds} s`,
  maxRequestsPerConnection: 'uWebSockets.js does not count the requests of a connection',
}

/** Limits that it keeps up to a bound of its own. */
const bounded: Record<string, number> = { maxHeaderBytes: doorHead.bytes, maxHeaders: doorHead.lines }

/** Which engine accepts a listener's connections. */
export function hasDoor({ engine = 'auto', sockets }: { engine?: unknown; sockets?: unknown }): boolean {
  return engine === 'uws' || (engine === 'auto' && Array.isArray(sockets) && sockets.length > 0)
}

/** The findings about one written listener. */
export function checkDoor(index: number, written: Record<string, unknown>): Finding[] {
  const at: Path = ['listeners', index]
  if (written.engine === 'native' && Array.isArray(written.sockets) && written.sockets.length > 0) {
    const message = '`engine: native` passes WebSockets on as tunnels and ends none'
    const hint = 'leave `engine` out, or `sockets`'
    return [{ path: [...at, 'sockets'], code: 'WEFT_CONFIG_CONTRADICTION', message, hint }]
  }
  if (!hasDoor(written)) return []
  const limits = typeof written.limits === 'object' && written.limits !== null ? written.limits : {}
  return [
    ...Object.entries(limits).flatMap(([key, value]) => checkLimit([...at, 'limits', key], key, value)),
    ...(typeof written.address === 'string' &&
    (written.address.startsWith(unixPrefix) || written.address === memoryAddress)
      ? [refusal([...at, 'address'], 'listens on TCP only', 'write ip:port, or use `engine: native`')]
      : []),
    ...(written.abortOnClose === false
      ? [
          refusal(
            [...at, 'abortOnClose'],
            'takes every closed sending side for an abort',
            'leave it out, or use `engine: native`',
          ),
        ]
      : []),
  ]
}

function checkLimit(path: Path, key: string, value: unknown): Finding[] {
  const reason = unkept[key]
  if (reason !== undefined) {
    return [refusal(path, `cannot keep \`${key}\`: ${reason}`, 'leave it out, or use `engine: native`')]
  }
  const most = bounded[key]
  // The schema tells of what is no size.
  if (most === undefined || (parseSize(String(value)) ?? 0) <= most) return []
  const message = `cannot keep \`${key}\` above ${most}: uWebSockets.js closes the connection of a larger head`
  return [refusal(path, message, `write at most ${most}, or use \`engine: native\``)]
}

function refusal(path: Path, message: string, hint: string): Finding {
  return { path, code: 'WEFT_CONFIG_CONTRADICTION', message: `\`engine: uws\` ${message}`, hint }
}
