/** A client's address as the engine reads it. uWebSockets.js knows no port, so that it is 0. */

const known = new Map<number, string>()
/** Enough for the clients of a while; then all are forgotten at once. */
const mostKnown = 4_096

/** `address` is binary: 4 bytes, or 16. */
export function clientAddress(address: ArrayBuffer): string {
  const bytes = new Uint8Array(address)
  if (bytes.length === 4) return v4(bytes, 0)
  if (bytes.length !== 16) return ''
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0))
  // IPv4 over a socket of IPv6 (RFC 4291 section 2.5.5.2).
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return v4(bytes, 12)
  return `[${groups.map((group) => group.toString(16)).join(':')}]:0`
}

function v4(bytes: Uint8Array, from: number): string {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]]
  const key = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  let text = known.get(key)
  if (text === undefined) {
    if (known.size >= mostKnown) known.clear()
    text = `${a}.${b}.${c}.${d}:0`
    known.set(key, text)
  }
  return text
}
