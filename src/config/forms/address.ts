/**
 * Addresses: an IP literal and a port, `127.0.0.1:8080` or `[::1]:8080`, and where it is asked for a unix socket,
 * `unix:/run/app.sock`. Names are refused: one resolved once at start would be stale without anybody noticing, so a name
 * is what a cluster's `discovery` follows.
 */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import * as z from 'zod'

export interface Address {
  ip: string
  port: number
}

/** The parts of an address, or a sentence that says why it is not one. */
export function parseAddress(text: string): Address | string {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text)
  if (match === null) {
    if (isIP(text) === 6) return `write an IPv6 address with brackets and a port, such as [${text}]:8080`
    if (/:\d{6,}$/.test(text)) return 'the port must be between 0 and 65535'
    return `${JSON.stringify(text)} is not an address; write ip:port, such as 127.0.0.1:8080 or [::1]:8080`
  }
  const ip = match[1] ?? match[2] ?? ''
  const port = Number(match[3])
  if (port > 65_535) return 'the port must be between 0 and 65535'
  if (isIP(ip) !== (match[1] === undefined ? 4 : 6)) return nameRefusal(ip, port)
  return { ip, port }
}

function nameRefusal(name: string, port: number): string {
  if (name === '' || name === '*') return `name the interface: 0.0.0.0:${port} listens on all of them`
  if (/^[\d.]+$/.test(name)) return `${JSON.stringify(name)} is not an IPv4 address`
  if (name === 'localhost') return `names are not resolved: write 127.0.0.1:${port}`
  return `names are not resolved: ${JSON.stringify(name)} must be an IP address; endpoints behind a name are \`discovery: { type: dns, name: ${name}, port: ${port} }\``
}

/** How a unix socket's address begins; its path follows, or `@` and a name that stands in no file system. */
export const unixPrefix = 'unix:'

/** The address of a listener that only serves requests from within its process. */
export const memoryAddress = 'memory'

/** The longest path that a socket's address has room for (unix(7)), without the end of text. */
const maxUnixPathBytes = 107

/** The address of a unix socket with its path made absolute; any other as it is. */
export function absoluteAddress(address: string, folder: string): string {
  const path = address.slice(unixPrefix.length)
  if (!address.startsWith(unixPrefix) || path.startsWith('@')) return address
  return unixPrefix + resolve(folder, path)
}

/** A sentence that says why a text is not a unix socket's address; null when it is one. */
export function unixRefusal(text: string): string | null {
  const path = text.slice(unixPrefix.length)
  if (path === '' || path === '@') return 'write the path of the socket: unix:/run/app.sock'
  if (path.includes('\0')) return 'a path cannot contain NUL'
  if (Buffer.byteLength(path) > maxUnixPathBytes) return `the path of a socket has at most ${maxUnixPathBytes} bytes`
  return null
}

/** Port 0 asks the system for a free one, which only a listener can use. */
interface AddressOptions {
  minPort: 0 | 1
  unix?: boolean
  memory?: boolean
}

/** The schema of an address. */
export function address({ minPort, unix = false, memory = false }: AddressOptions) {
  return z
    .string()
    .superRefine((text, context) => {
      if (memory && text === memoryAddress) return
      if (unix && text.startsWith(unixPrefix)) {
        const refusal = unixRefusal(text)
        if (refusal !== null) context.addIssue({ code: 'custom', message: refusal })
        return
      }
      const parsed = parseAddress(text)
      if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed })
      else if (parsed.port < minPort) context.addIssue({ code: 'custom', message: 'the port must not be 0' })
    })
    .meta({ form: unix ? 'ip:port or unix:path' : 'ip:port' })
}
