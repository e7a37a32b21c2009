/**
 * The registries of the configuration in force: follows each source and puts what it tells in force as a delta.
 *
 * Invariants: a source that stays the same in a new configuration is followed on; what a registry says never makes a new
 * generation; what cannot be used is told and changes nothing.
 */

import { registries } from '../discovery/registries.js'
import type { Sink, Source, Surroundings } from '../discovery/registry.js'
import type { UpdateVerdict } from '../native/index.js'
import type { Logger } from '../telemetry/logger.js'

export interface FollowOptions extends Surroundings {
  logger: Logger
  /** Hands an encoded update to the engine. */
  update(bytes: Uint8Array): UpdateVerdict
}

export interface Followed {
  /** These are the sources from now on. */
  renew(sources: readonly Source[]): void
  close(): void
}

export function followSources(options: FollowOptions): Followed {
  let following: { source: Source; end: { close(): void } }[] = []
  const renew = (sources: readonly Source[]) => {
    const before = following
    following = sources.map((source) => {
      const kept = before.find((known) => isSame(known.source, source))
      return kept ?? { source, end: registries[source.type].follow(source, sinkOf(source, options), options) }
    })
    for (const known of before) if (!following.includes(known)) known.end.close()
  }
  return { renew, close: () => renew([]) }
}

/** A file that was read anew is followed from there: else what came between would be told twice, or not at all. */
function isSame(a: Source, b: Source): boolean {
  const same = a.cluster === b.cluster && a.type === b.type
  return same && a.watched.path === b.watched.path && a.watched.signature === b.watched.signature
}

function sinkOf({ cluster }: Source, { logger, update }: FollowOptions): Sink {
  return {
    update(bytes) {
      const { rejected, ...changes } = update(bytes)
      for (const { message, code } of rejected) logger.warn(message, { cluster, code })
      if (rejected.length === 0) logger.info('endpoints changed', { cluster, ...changes })
    },
    failed({ code, message, hint }) {
      const advice = hint === null ? {} : { hint }
      logger.warn(`cluster ${cluster} keeps the endpoints it has: ${message}`, { code, ...advice })
    },
  }
}
