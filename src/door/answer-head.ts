/**
 * Heads on their way out, as uWebSockets.js must be given them: it writes the first line's version and the `date` itself.
 */

/** What stands in `\r\n` lines with a name and a value each, its `date` left out. */
export function withoutDate(head: string): string {
  let at = head.indexOf('\r\ndate:')
  if (at < 0) at = head.indexOf('\r\nDate:')
  if (at < 0) {
    // Any other spelling is rare enough to be looked for slowly.
    at = head.length > 6 ? head.toLowerCase().indexOf('\r\ndate:') : -1
    if (at < 0) return head
  }
  return head.slice(0, at + 2) + head.slice(head.indexOf('\r\n', at + 2) + 2)
}

/** Latin1 text for a library that would write what it is given as UTF-8. */
export function latin1(text: string): string | Uint8Array {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text, 'latin1')
}

/** A head as the name and the value of one header line, for a second one behind a 1xx answer. */
export function asHeaderLine(head: string): [name: string, value: string] {
  const lines = `HTTP/1.1 ${head}`
  const end = lines.indexOf('\r\n')
  const colon = lines.indexOf(':', end)
  // The library writes `name: value`, so that there has to be a line with a colon.
  if (colon < 0) return [`${lines}via`, '1.1 weft']
  return [lines.slice(0, colon), lines.slice(colon + 1, -2).trimStart()]
}
