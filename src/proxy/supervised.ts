/**
 * A `weft run` process and the supervisor that started it: what the one tells the other, over the channel that Node
 * opens between the two.
 */

/** How a process learns that it has a supervisor, and whether an application stands beside both. */
export const supervisedBy = 'WEFT_SUPERVISED'

/** Told when traffic is served, and once more when the end begins. */
export interface Notice {
  state: 'ready' | 'ending'
  /** How long the end may take. */
  drainDeadlineMs: number
}

export interface Supervision {
  /** The supervisor runs an application, which belongs to it: nobody else may take over from this process. */
  withApp: boolean
  tell(notice: Notice): void
}

/** Null in a process without a supervisor. The variable is taken away: no process that this one starts shall read it. */
export function findSupervision(): Supervision | null {
  const word = process.env[supervisedBy]
  delete process.env[supervisedBy]
  if (word === undefined || process.send === undefined) return null
  // An exit code is an answer, after which nothing is started again; a fault is none. So it ends as other faults do.
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    process.abort()
  })
  return {
    withApp: word === 'app',
    // A supervisor that is gone is no reason to end: traffic is served on without one.
    tell: (notice) => void (process.connected && process.send?.(notice)),
  }
}
