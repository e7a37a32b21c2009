/**
 * What is wrong with resources that each pass their own check: conflicts, rules that are never reached, references that
 * lead nowhere. `apply` prints it before and after a change, so it needs no data plane.
 */
import { isLoopback } from '../../config/forms/loopback.js'
import { backendTlsPolicy } from '../resources/backend-tls-policy.js'
import { type DestinationRuleSpec, destinationRule } from '../resources/destination-rule.js'
import { gateway } from '../resources/gateway.js'
import { istioGateway } from '../resources/istio-gateway.js'
import { peerAuthentication } from '../resources/peer-authentication.js'
import { requestAuthentication } from '../resources/request-authentication.js'
import { serviceEntry } from '../resources/service-entry.js'
import { telemetry } from '../resources/telemetry.js'
import { ruleFindings } from './clusters/rule-findings.js'
import { describeOrigin, distinctFindings, type MeshFinding, originOf } from './finding.js'
import { compileGateway } from './gateways/gateways.js'
import { routeParents } from './gateways/route-parents.js'
import { findService, type Mesh } from './mesh/mesh.js'
import type { MeshNode } from './mesh/node.js'
import type { Parsed } from './mesh/parsed.js'
import { reachOf } from './mesh/reach.js'
import { keySourceOf } from './policies/request-authentication.js'
import { unusedDelegates } from './routes/delegates.js'
import { sourceLabels } from './routes/source.js'
import { unknownPorts } from './routes/unknown-ports.js'
import { outboundConnections } from './sidecars/outbound-connections.js'
import { unreachedRules } from './sidecars/unreached-rules.js'
import { sharedView } from './view.js'

export function lintMesh(mesh: Mesh): MeshFinding[] {
  return distinctFindings([
    ...routeParents(mesh),
    ...targets(mesh),
    ...duplicates(mesh),
    ...mesh.kinds.of(destinationRule).flatMap(ruleFindings),
    ...unreachedRules(mesh),
    ...clients(mesh),
    ...gateways(mesh),
    ...plainKeys(mesh),
    ...unusedDelegates(mesh),
    ...unknownPorts(mesh),
  ])
}

/** As the clients of each namespace would see it, those whose labels a rule names among them. */
function clients(mesh: Mesh): MeshFinding[] {
  const namespaces = new Set(mesh.definitions.map(({ namespace }) => namespace))
  const labels = [{}, ...sourceLabels(mesh).values()]
  return [...namespaces].flatMap((namespace) =>
    labels.flatMap((own) => {
      const node = lintNode(namespace, '', 'sidecar', own)
      const reach = reachOf(mesh, node)
      const connecting = outboundConnections(mesh, { ...node, outbound: '127.0.0.1:0' }, reach)
      return [...sharedView(mesh, node, reach).findings, ...connecting.findings, ...reach.findings]
    }),
  )
}

function gateways(mesh: Mesh): MeshFinding[] {
  const own = mesh.kinds
    .of(gateway)
    .map(({ resource: { metadata } }) => lintNode(metadata.namespace, metadata.name, 'gateway', {}))
  const istio = mesh.kinds
    .of(istioGateway)
    .map(({ resource, spec }) => lintNode(resource.metadata.namespace, '', 'gateway', spec.selector))
  return [...own, ...istio].flatMap((node) => compileGateway(mesh, node).findings)
}

function lintNode(
  namespace: string,
  service: string,
  role: MeshNode['role'],
  labels: Record<string, string>,
): MeshNode {
  return {
    id: '',
    plane: 'envoy',
    role,
    namespace,
    service,
    account: service,
    labels,
    region: '',
    zone: '',
    zoneAware: true,
    outbound: null,
    inbound: null,
    app: null,
    hosts: 'all',
  }
}

/** Policies for services or ports that are not there. */
function targets(mesh: Mesh): MeshFinding[] {
  return mesh.kinds.of(backendTlsPolicy).flatMap(({ resource, spec }) =>
    spec.targetRefs.flatMap(({ name, sectionName }, index): MeshFinding[] => {
      const { namespace } = resource.metadata
      const definition = mesh.services.get(`${namespace}/${name}`)?.definition
      const origin = originOf(resource, `spec.targetRefs[${index}]`)
      if (definition !== undefined) {
        const ports = definition.ports.map((port) => port.name)
        if (sectionName === undefined || ports.includes(sectionName)) return []
        const absent = `${namespace}/${name} has no port of the name ${sectionName}`
        const named = `its ports: ${ports.join(', ')}`
        return [{ severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin, message: absent, hint: named }]
      }
      const message = `there is no service ${namespace}/${name}`
      const hint = 'register it, or add a ServiceEntry, in the namespace of the policy'
      return [{ severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin, message, hint }]
    }),
  )
}

/** Resources of which only the oldest can hold. */
function duplicates(mesh: Mesh): MeshFinding[] {
  const entries = mesh.kinds
    .of(serviceEntry)
    .flatMap((entry) => entry.spec.hosts.map((host) => ({ ...entry, what: `the host ${host}`, path: 'spec.hosts' })))
  const modes = mesh.kinds.of(peerAuthentication).map((entry) => ({
    ...entry,
    what: workloadsOf(entry.spec.selector?.matchLabels),
    path: 'spec.selector',
  }))
  const told = mesh.kinds
    .of(telemetry)
    .filter(({ spec }) => spec.targetRefs === undefined)
    .map((entry) => ({ ...entry, what: workloadsOf(entry.spec.selector?.matchLabels), path: 'spec.selector' }))
  const calls = mesh.kinds
    .of(destinationRule)
    .filter(({ spec }) => spec.workloadSelector !== undefined)
    .map((entry) => ({ ...entry, what: callsOf(mesh, entry), path: 'spec.workloadSelector' }))
  return [...firstOf(entries), ...firstOf(modes), ...firstOf(told), ...firstOf(calls)]
}

function workloadsOf(labels: Record<string, string> = {}): string {
  return `the workloads ${JSON.stringify(labels)}`
}

function callsOf(mesh: Mesh, { resource, spec }: Parsed<DestinationRuleSpec>): string {
  const { host, workloadSelector } = spec
  const service = findService(mesh, host, resource.metadata.namespace)?.key ?? host
  return `how ${workloadsOf(workloadSelector?.matchLabels)} call ${service}`
}

/** Keys that come over a network that anybody may stand in are no proof of anything. */
function plainKeys(mesh: Mesh): MeshFinding[] {
  return mesh.kinds.of(requestAuthentication).flatMap(({ resource, spec }) =>
    spec.jwtRules.flatMap((rule, index): MeshFinding[] => {
      const source = keySourceOf(rule)
      if (source === null || !source.startsWith('http://') || isLoopback(new URL(source).host)) return []
      const origin = originOf(resource, `spec.jwtRules[${index}]`)
      const message = `the keys of ${rule.issuer} come over plain HTTP: whoever stands in between can sign tokens`
      return [{ severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin, message, hint: 'use https' }]
    }),
  )
}

function firstOf(list: (Parsed<unknown> & { what: string; path: string })[]): MeshFinding[] {
  const first = new Map<string, string>()
  return list.flatMap(({ resource, what, path }): MeshFinding[] => {
    const key = `${resource.kind} ${resource.metadata.namespace} ${what}`
    const origin = originOf(resource, path)
    const older = first.get(key)
    if (older === undefined) {
      first.set(key, describeOrigin(origin))
      return []
    }
    return [
      {
        severity: 'error',
        code: 'WEFT_MESH_CONFLICT',
        origin,
        message: `${older} is older and holds for ${what}`,
        hint: 'remove one of them',
      },
    ]
  })
}
