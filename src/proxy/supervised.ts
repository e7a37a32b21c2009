/**
 * A `weft run` process and the supervisor that started it: what the one tells the other, over the channel that Node
 * opens between the two.
 */
import type { AppProcess } from './app-process.js'

/** How a process learns that it has a supervisor, and whether that runs an application. */
export const supervisedBy = 'WEFT_SUPERVISED'

/** To the supervisor: traffic is served; or, the application is to have this signal. */
export type Notice = { ready: { drainDeadlineMs: number } } | { signal: NodeJS.Signals }

/** From the supervisor. */
export interface AppEnded {
  code: number
}

export interface Supervision {
  /** The application that the supervisor runs: told of signals and watched as if it were started here. */
  app: AppProcess | null
  ready(drainDeadlineMs: number): void
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
    app: word === 'app' ? remoteApp() : null,
    ready: (drainDeadlineMs) => tell({ ready: { drainDeadlineMs } }),
  }
}

function remoteApp(): AppProcess {
  const ended = new Promise<number>((resolve) => {
    process.on('message', ({ code }: AppEnded) => resolve(code))
  })
  return { pid: 0, ended, signal: (signal) => tell({ signal }) }
}

/** A supervisor that is gone is no reason to end: traffic is served on without one. */
function tell(notice: Notice): void {
  if (process.connected) process.send?.(notice)
}
