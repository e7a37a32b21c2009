/**
 * Tells in the log when a part of a cluster runs short of healthy endpoints, why that changes where requests go, and when
 * it is over.
 *
 * Invariant: one line for each change of who takes requests, not for each endpoint that comes or goes.
 */
import type { Shortage } from '../native/index.js'
import { describeLevel } from '../telemetry/group-text.js'
import type { Logger } from '../telemetry/logger.js'

/** As often as Envoy merges updates of health. */
const everyMs = 1_000

export interface ShortageWatch {
  /** Asks now and tells what has changed. */
  look(): void
  close(): void
}

export function watchShortages(shortages: () => Shortage[], logger: Logger): ShortageWatch {
  let before = new Map<string, Shortage>()
  const look = () => {
    const now = new Map(shortages().map((shortage) => [nameOf(shortage), shortage]))
    for (const [name, shortage] of now) {
      const known = before.get(name)
      if (known === undefined || kindOf(known) !== kindOf(shortage)) logger.warn(reason(shortage), fieldsOf(shortage))
    }
    for (const [name, shortage] of before) {
      if (!now.has(name)) logger.info('the first priority has enough healthy endpoints again', namesOf(shortage))
    }
    before = now
  }
  const timer = setInterval(look, everyMs)
  timer.unref()
  return { look, close: () => clearInterval(timer) }
}

function nameOf({ cluster, subset }: Shortage): string {
  return JSON.stringify([cluster, subset])
}

/** Who panics and who takes requests: the same as long as only shares move. */
function kindOf({ levels }: Shortage): string {
  return levels.map(({ panicked, percent }) => `${panicked}${percent > 0}`).join()
}

function reason({ levels }: Shortage): string {
  if (levels.some(({ panicked, percent }) => panicked && percent > 0)) {
    return 'panic: too few endpoints are healthy to take the load, so all are used, healthy or not'
  }
  return 'the first priority is short of healthy endpoints, so requests go to the next ones as well'
}

function namesOf({ cluster, subset }: Shortage) {
  return { cluster, ...(subset === null ? {} : { subset }) }
}

function fieldsOf(shortage: Shortage) {
  return { ...namesOf(shortage), priorities: shortage.levels.map(describeLevel).join('; ') }
}
