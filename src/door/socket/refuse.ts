/** The answer of an `upgrade` handler that wants no WebSocket. */
import { STATUS_CODES } from 'node:http'
import type { UpgradeAnswer } from './define-socket.js'
import type { UwsResponse } from './library.js'

/** Framing is the library's. */
const framing = ['connection', 'content-length', 'keep-alive', 'transfer-encoding', 'upgrade']

/** What a handler returned as an answer, or what is wrong with it. */
export function verdictOf(returned: unknown): UpgradeAnswer | string {
  if (typeof returned !== 'object' || returned === null) return 'upgrade returns nothing, or an answer { status }'
  const { status, headers = {}, body = '' } = returned as Partial<UpgradeAnswer>
  if (!Number.isInteger(status) || Number(status) < 200 || Number(status) > 599) {
    return `upgrade returned an answer whose status is ${JSON.stringify(status)}, not 200 to 599`
  }
  if (typeof body !== 'string') return 'upgrade returned an answer whose body is no text'
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(String(value))) {
      return `upgrade returned a header line that cannot be sent: ${JSON.stringify(name)}`
    }
  }
  return { status: Number(status), headers, body }
}

export function refuse(response: UwsResponse, { status, headers = {}, body = '' }: UpgradeAnswer): void {
  response.cork(() => {
    response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`)
    for (const [name, value] of Object.entries(headers)) {
      if (!framing.includes(name.toLowerCase())) response.writeHeader(name, String(value))
    }
    if (body !== '' && !Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')) {
      response.writeHeader('content-type', 'text/plain; charset=utf-8')
    }
    // No further request was read from this connection; the client asks again on a new one.
    response.end(body, true)
  })
}
