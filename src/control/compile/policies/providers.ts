/** Destinations that the control plane's configuration declares by name, and how a data plane reaches them. */
import type { ExtensionProvider } from '../../config/extension-providers.js'
import { plainCluster } from '../clusters/plain-cluster.js'
import type { MeshFinding } from '../finding.js'
import type { Mesh } from '../mesh/mesh.js'
import type { Cluster, Origin } from '../nouns.js'

interface Place {
  service: string
  port: number
}

export function provider({ options }: Mesh, name: string): ExtensionProvider | undefined {
  return options.extensionProviders.find((one) => one.name === name)
}

/** Reached as it is, without the mesh's own TLS: it need not be part of the mesh. */
export function providerCluster(name: string, protocol: 'http1' | 'http2', { service: host, port }: Place): Cluster {
  return { ...plainCluster(name, protocol), discovery: { type: 'dns', endpoints: [{ host, port, weight: 1 }] } }
}

export function authorityOf({ service: host, port }: Place): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export function noProviderFinding(origin: Origin, name: string, what: string, more = ''): MeshFinding {
  return {
    severity: 'error',
    code: 'WEFT_MESH_REFERENCE',
    origin,
    message: `there is no provider ${name} for ${what}`,
    hint: `declare it under mesh.extensionProviders of the control plane${more}`,
    stops: true,
  }
}
