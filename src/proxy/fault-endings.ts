/** Tells of the faults in force: that they are injected, and when one has outlived its time to live. The engine ends it. */
import type { FaultStats } from '../native/index.js'
import type { Logger } from '../telemetry/logger.js'

export interface FaultEndings {
  /** These are the faults from now on. */
  renew(faults: readonly FaultStats[]): void
  close(): void
}

/** Timers take no longer wait at once; a longer one is taken in pieces. */
const longestWaitMs = 2 ** 31 - 1

export function tellFaultEndings(logger: Logger): FaultEndings {
  const timers: NodeJS.Timeout[] = []
  const stop = () => {
    for (const timer of timers.splice(0)) clearTimeout(timer)
  }
  const tellLater = (route: string, endsAt: number) => {
    const wait = endsAt - performance.now()
    if (wait <= 0) return logger.info('a fault is over: its ttl has passed', { route })
    const again = () => tellLater(route, endsAt)
    timers.push(setTimeout(again, Math.min(Math.ceil(wait), longestWaitMs)).unref())
  }
  return {
    renew(faults) {
      stop()
      for (const { route, leftMs } of faults) {
        if (leftMs === 0) continue
        if (leftMs === null) logger.warn('faults are injected until they are removed from the configuration', { route })
        else {
          logger.warn('faults are injected', { route, forMs: leftMs })
          tellLater(route, performance.now() + leftMs)
        }
      }
    },
    close: stop,
  }
}
