/**
 * The end of a client's WebSocket whose buffer may not be empty.
 *
 * The library keeps what a client does not read for as long as the client likes once a close frame was written, and lets
 * nobody break that connection off any more. So the close frame waits for the buffer to empty, and not for long.
 */
import type { UwsSocket } from './library.js'

/** How long a client may take to read what was sent before the close. */
const patienceMs = 5_000

export class Ending {
  private readonly connection: UwsSocket
  private readonly code: number
  private readonly reason: string
  private readonly timer: NodeJS.Timeout

  constructor(connection: UwsSocket, code: number, reason: string) {
    this.connection = connection
    this.code = code
    this.reason = reason
    this.timer = setTimeout(() => connection.close(), patienceMs)
    this.timer.unref()
  }

  drained(): void {
    if (this.connection.getBufferedAmount() === 0) this.connection.end(this.code, this.reason)
  }

  /** The connection is closed. */
  over(): void {
    clearTimeout(this.timer)
  }
}

/** Closes at once where it can; else what is to be told of `drained` and `over`. */
export function endGently(connection: UwsSocket, code: number, reason: string): Ending | null {
  if (connection.getBufferedAmount() > 0) return new Ending(connection, code, reason)
  connection.end(code, reason)
  return null
}
