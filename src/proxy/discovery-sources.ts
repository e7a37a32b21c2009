/** `clusters[].discovery` → what is known of each source when a configuration is prepared, and whom to follow for more. */
import { resolve } from 'node:path'
import type { ResolvedEndpoint } from '../config/clusters/endpoint.js'
import type { ResolvedConfig } from '../config/config.js'
import { readEndpointFile } from '../discovery/endpoint-file.js'
import type { Source } from '../discovery/registry.js'

export interface Discovered {
  sources: Source[]
  /** Endpoints by cluster; a source that could not be read has none. */
  endpoints: Map<string, ResolvedEndpoint[]>
  warnings: string[]
}

/** Paths are relative to `folder`. */
export async function discover({ clusters }: ResolvedConfig, folder: string): Promise<Discovered> {
  const discovered: Discovered = { sources: [], endpoints: new Map(), warnings: [] }
  for (const { name, discovery } of clusters) {
    // The engine itself follows names.
    if (discovery?.type !== 'file') continue
    const { watched, endpoints, error } = await readEndpointFile(resolve(folder, discovery.path))
    discovered.sources.push({ cluster: name, type: discovery.type, watched })
    if (error === null) discovered.endpoints.set(name, endpoints)
    else discovered.warnings.push(`cluster ${name} keeps the endpoints it has: ${error.message}`)
  }
  return discovered
}
