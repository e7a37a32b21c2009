/**
 * Puts what sources tell into the registry, as long as this replica leads.
 *
 * Invariants: a source that fails or comes back empty takes nobody away; one change after the other per source; what was
 * registered over the API is not touched by a source.
 */
import type { Store } from '../../store/store.js'
import type { Registration } from '../registration.js'
import { isLeading, type Registry } from '../registry.js'
import { dnsSource } from './dns-source.js'
import { fileSource } from './file-source.js'
import type { Source, SourceConfig } from './source.js'

export interface FollowOptions {
  store: Store
  registry: Registry
  sources: readonly SourceConfig[]
  say: (message: string) => void
}

export function createSource({ service, namespace, file, dns }: SourceConfig): Source[] {
  return [
    ...(file === undefined ? [] : [fileSource(service, namespace, file.path)]),
    ...(dns === undefined ? [] : [dnsSource(service, namespace, dns)]),
  ]
}

/** The returned function ends it. */
export function followSources({ store, registry, sources, say }: FollowOptions): () => void {
  let ends: (() => void)[] = []
  const stop = () => {
    for (const end of ends) end()
    ends = []
  }
  const begin = () => {
    if (isLeading(store) === ends.length > 0) return
    stop()
    if (!isLeading(store)) return
    ends = sources.flatMap((config) => {
      return createSource(config).map((source) => follow(config, source, registry, say))
    })
  }
  const endStatus = store.onStatus(begin)
  begin()
  return () => {
    endStatus()
    stop()
  }
}

function follow(
  { service, namespace }: SourceConfig,
  source: Source,
  registry: Registry,
  say: (message: string) => void,
): () => void {
  let last: Promise<void> = Promise.resolve()
  let trouble = ''
  const tell = (message: string) => {
    if (message !== '' && message !== trouble) say(`${source.name}: ${message}; ${service} keeps what it has`)
    trouble = message
  }
  const put = async (workloads: Registration[]) => {
    try {
      await registry.sync({ source: source.name, service, namespace, workloads })
      tell('')
    } catch (error) {
      tell((error as Error).message)
    }
  }
  return source.follow({
    failed: tell,
    workloads(workloads) {
      if (workloads.length === 0) tell('it is empty')
      else last = last.then(() => put(workloads))
    },
  })
}
