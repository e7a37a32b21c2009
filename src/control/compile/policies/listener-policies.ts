/** What policies say of the listeners of one data plane: whose tokens they take, what they log and trace. */
import { lackedPolicies } from '../capabilities.js'
import type { MeshFinding } from '../finding.js'
import type { Authentication, ListenerTelemetry } from '../listener-nouns.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Cluster, Origin } from '../nouns.js'
import { authorizersFor } from './authorizers.js'
import { authenticationFor } from './request-authentication.js'
import { type ChosenTelemetry, type TelemetrySide, telemetryFor } from './telemetry.js'

export interface ListenerPolicies {
  /** Of listeners that others call. */
  authentication: Authentication | null
  telemetry: Record<TelemetrySide, ListenerTelemetry | null>
  /** Where traces are sent, and who is asked whether a request passes. */
  clusters: Cluster[]
  findings: MeshFinding[]
}

export function listenerPolicies(mesh: Mesh, node: MeshNode): ListenerPolicies {
  const { authentication, findings } = authenticationFor(mesh, node)
  const [server, client] = [telemetryFor(mesh, node, 'SERVER'), telemetryFor(mesh, node, 'CLIENT')]
  const lacked = lackedPolicies(node.plane, [
    { what: 'the check of tokens', origins: authentication?.origins ?? [] },
    ...client.origins.map((origin) => ({ what: partNames[origin.path] ?? 'telemetry', origins: [origin] })),
  ])
  if (node.plane === 'grpc')
    return { authentication: null, telemetry: { SERVER: null, CLIENT: null }, clusters: [], findings: lacked }
  const authorizers = authorizersFor(mesh, node)
  const collectors = [server, client].flatMap(({ tracing }) => (tracing === null ? [] : [tracing.exporter.clusterNoun]))
  return {
    authentication,
    telemetry: { SERVER: telemetryNoun(server, node), CLIENT: telemetryNoun(client, node) },
    clusters: [...new Map([...collectors, ...authorizers.clusters].map((cluster) => [cluster.name, cluster])).values()],
    findings: distinct([...findings, ...server.findings, ...client.findings, ...authorizers.findings]),
  }
}

const partNames: Record<string, string> = { 'spec.accessLogging': 'access logs', 'spec.tracing': 'traces' }

function telemetryNoun({ accessLogs, tracing, origins }: ChosenTelemetry, node: MeshNode): ListenerTelemetry | null {
  if (accessLogs.length === 0 && tracing === null && origins.length === 0) return null
  const noun = { accessLogs, tracing: null, origins }
  if (tracing === null) return noun
  const { exporter, ...rest } = tracing
  const { clusterNoun: _, ...place } = exporter
  const service = `${node.service}.${node.namespace}`
  return { ...noun, tracing: { exporter: { ...place, service }, ...rest } }
}

/** Both sides say the same of what they share. */
function distinct(findings: MeshFinding[]): MeshFinding[] {
  const key = ({ origin, message }: MeshFinding) => JSON.stringify([origin satisfies Origin, message])
  return [...new Map(findings.map((finding) => [key(finding), finding])).values()]
}
