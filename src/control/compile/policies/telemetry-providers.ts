/** What the names of telemetry providers mean: the built-in access log, or what the control plane's configuration declares. */
import type { MeshFinding } from '../finding.js'
import type { AccessLog, TraceExporter } from '../listener-nouns.js'
import type { Mesh } from '../mesh/mesh.js'
import type { Cluster, Origin } from '../nouns.js'
import { authorityOf, noProviderFinding, provider, providerCluster } from './providers.js'

/** Standard output of the data plane, a JSON line for each request; `stdout` is another name for it. */
export const builtInLog = 'envoy'
const builtInLogs: readonly string[] = [builtInLog, 'stdout']

export type FoundExporter = Omit<TraceExporter, 'service'> & { clusterNoun: Cluster }

export function accessLogOf(
  mesh: Mesh,
  name: string,
  origin: Origin | null,
  findings: MeshFinding[],
): Pick<AccessLog, 'path' | 'format'> | null {
  const declared = provider(mesh, name)
  if (declared === undefined && builtInLogs.includes(name)) return { path: null, format: null }
  const file = declared?.envoyFileAccessLog
  if (file === undefined) {
    report(findings, origin, name, 'access logs', builtInLogs)
    return null
  }
  const { text, labels } = file.logFormat ?? {}
  return { path: file.path === '/dev/stdout' ? null : file.path, format: text ?? labels ?? null }
}

export function exporterOf(
  mesh: Mesh,
  name: string,
  origin: Origin | null,
  findings: MeshFinding[],
): FoundExporter | null {
  const { zipkin, opentelemetry } = provider(mesh, name) ?? {}
  if (zipkin !== undefined) return exporter(name, 'zipkin', zipkin, zipkin.path)
  if (opentelemetry?.http !== undefined) return exporter(name, 'otlp-http', opentelemetry, opentelemetry.http.path)
  if (opentelemetry !== undefined) return exporter(name, 'otlp-grpc', opentelemetry, null)
  report(findings, origin, name, 'traces', [])
  return null
}

function exporter(
  name: string,
  type: TraceExporter['type'],
  place: { service: string; port: number },
  path: string | null,
): FoundExporter {
  const cluster = `telemetry/${name}`
  const clusterNoun = providerCluster(cluster, type === 'otlp-grpc' ? 'http2' : 'http1', place)
  return { type, cluster, authority: authorityOf(place), path, clusterNoun }
}

/** A default that leads nowhere has no resource to point to; the configuration is the operator's. */
function report(
  findings: MeshFinding[],
  origin: Origin | null,
  name: string,
  what: string,
  builtIn: readonly string[],
): void {
  if (origin === null) return
  const known = builtIn.length === 0 ? '' : ` (built in: ${builtIn.join(', ')})`
  findings.push(noProviderFinding(origin, name, what, known))
}
