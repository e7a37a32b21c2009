/** What may cross into the engine as a line of Latin-1 text. */

/** Throws when a text cannot stand in a header value (RFC 9110 section 5.5) or a line. */
export function checkedValue(value: unknown, of: string): string {
  const text = typeof value === 'string' ? value : plain(value, of)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 31 && code < 127) continue
    if (code === 9 || (code > 127 && code < 256)) continue
    const shown = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
    throw new TypeError(
      `${of} cannot hold ${shown}${code > 255 ? '; encode it, with encodeURIComponent for example' : ''}`,
    )
  }
  return text
}

function plain(value: unknown, of: string): string {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  throw new TypeError(`${of} must be text, not ${value === null ? 'null' : typeof value}`)
}

/** Any text as bytes of UTF-8, each of them a character. */
export function utf8AsLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

export function latin1AsUtf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}
