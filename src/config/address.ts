/**
 * Addresses: an IP literal and a port, `127.0.0.1:8080` or `[::1]:8080`. Names are refused until DNS discovery exists,
 * because a name resolved once at start would be stale without anybody noticing.
 */
import { isIP } from 'node:net'
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
  return `names are not resolved: ${JSON.stringify(name)} must be an IP address (discovery by DNS comes in a later version)`
}

/** The schema of an address. Port 0 asks the system for a free one, which only a listener can use. */
export function address({ minPort }: { minPort: 0 | 1 }) {
  return z
    .string()
    .superRefine((text, context) => {
      const parsed = parseAddress(text)
      if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed })
      else if (parsed.port < minPort) context.addIssue({ code: 'custom', message: 'the port must not be 0' })
    })
    .meta({ form: 'ip:port' })
}
