/**
 * What happens to endpoints, in the proxy's own log: who was ejected, whose breaker opened, whose health check fails,
 * with the reason and for how long.
 *
 * Invariant: asked for only while the configuration has something that may happen; what happened last is told at the end.
 */
import type { EndpointEvent, EndpointEvents } from '../native/index.js'
import type { Fields, Level, Logger } from '../telemetry/logger.js'

const askEveryMs = 250

const told: Record<EndpointEvent['turn'], [level: Level, message: string, lasting: 'for' | 'after']> = {
  ejected: ['warn', 'endpoint ejected', 'for'],
  'would-eject': ['warn', 'endpoint would be ejected (shadow)', 'for'],
  'not-ejected': ['warn', 'endpoint not ejected', 'for'],
  returned: ['info', 'endpoint gets requests again', 'after'],
  opened: ['warn', "endpoint's breaker opened", 'for'],
  'stayed-open': ['warn', "endpoint's breaker stays open", 'for'],
  closed: ['info', "endpoint's breaker closed", 'after'],
  unhealthy: ['warn', 'endpoint unhealthy', 'for'],
  healthy: ['info', 'endpoint healthy', 'after'],
}

export class EndpointLog {
  private timer: NodeJS.Timeout | null = null
  private readonly fetch: () => string
  private readonly logger: Logger

  /** `fetch`: all events since the last call as JSON, an empty text for none. */
  constructor(fetch: () => string, logger: Logger) {
    this.fetch = fetch
    this.logger = logger
  }

  /** Whether something may happen from now on. */
  follow(wanted: boolean): void {
    if (wanted) this.timer ??= setInterval(() => this.tell(), askEveryMs).unref()
    else this.close()
  }

  close(): void {
    if (this.timer === null) return
    clearInterval(this.timer)
    this.timer = null
    this.tell()
  }

  private tell(): void {
    const fetched = this.fetch()
    if (fetched === '') return
    const { events, lost } = JSON.parse(fetched) as EndpointEvents
    if (lost > 0) this.logger.warn('events of endpoints were lost', { count: lost })
    for (const event of events) {
      const [level, message, lasting] = told[event.turn]
      this.logger[level](message, fieldsOf(event, lasting))
    }
  }
}

function fieldsOf({ cluster, endpoint, reason, forMs }: EndpointEvent, lasting: 'for' | 'after'): Fields {
  const time =
    forMs === null ? {} : { [lasting]: forMs < 1000 ? `${forMs}ms` : `${Number((forMs / 1000).toFixed(1))}s` }
  return { cluster, endpoint, ...time, reason }
}
