/**
 * Which DestinationRule says how a client calls a service: one that selects the client by its labels, then one of the
 * client's namespace, of the service's, of the mesh; the oldest of each.
 */

import { type DestinationRuleSpec, destinationRule } from '../../resources/destination-rule.js'
import type { TrafficPolicy, TrafficPolicyParts } from '../../resources/traffic-policy.js'
import type { MeshResource } from '../../state/mesh-source.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import { attachments } from '../mesh/attachments.js'
import { isVisible, keep, type Mesh } from '../mesh/mesh.js'
import { type MeshNode, selectableLabels } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import { includesLabels, type ServiceDefinition } from '../mesh/services.js'
import { ruleFindings } from './rule-findings.js'

type Rule = Parsed<DestinationRuleSpec>

/** What of a client decides which rules hold for it. */
export interface Client {
  /** Equal for clients for which the same rules hold. */
  key: string
  namespace: string
  /** A gateway may have what no rule gives to workloads. */
  isGateway: boolean
  /** Rules of its namespace that select it by its labels. */
  selecting: readonly Rule[]
}

/** Selected by none. */
export function clientsOf(namespace: string, role: MeshNode['role'] = 'sidecar'): Client {
  const isGateway = role === 'gateway'
  return { key: isGateway ? `gateways of ${namespace}` : namespace, namespace, isGateway, selecting: [] }
}

export function clientOf(mesh: Mesh, node: MeshNode): Client {
  const { namespace, role } = node
  const rules = keep(mesh, `rules of ${namespace} with a selector`, () =>
    mesh.kinds
      .of(destinationRule)
      .filter(({ resource, spec }) => spec.workloadSelector !== undefined && resource.metadata.namespace === namespace),
  )
  const plain = clientsOf(namespace, role)
  if (rules.length === 0) return plain
  const labels = selectableLabels(node)
  const selecting = rules.filter(({ spec }) => includesLabels(labels, spec.workloadSelector?.matchLabels ?? {}))
  return { ...plain, key: [plain.key, ...selecting.map(nameOf)].join(' by '), selecting }
}

export interface ChosenRule {
  /** With what it inherits. */
  rule: Rule | null
  /** The rule without a selector of which one with a selector takes what it does not say itself. */
  inherited: MeshResource | null
  findings: MeshFinding[]
}

export function chooseRule(mesh: Mesh, service: ServiceDefinition, { namespace, selecting }: Client): ChosenRule {
  const visible = (attachments(mesh).services.get(service.key)?.destinationRules ?? []).filter(({ resource, spec }) =>
    isVisible(spec.exportTo, resource.metadata.namespace, namespace),
  )
  const [own, ...others] = visible.filter((rule) => selecting.includes(rule))
  const plain = visible.filter(({ spec }) => spec.workloadSelector === undefined)
  if (own !== undefined) {
    const findings = others.map((other) => conflict(other, 'spec.workloadSelector', own, service))
    const base = plain.find(({ resource }) => resource.metadata.namespace === namespace)
    const chosen = inheriting(own, base)
    const inherited = base !== undefined && chosen.inherited !== null ? ruleFindings(base) : []
    return { ...chosen, findings: [...findings, ...ruleFindings(own), ...inherited] }
  }
  const places = [namespace, service.namespace, mesh.options.rootNamespace]
  const rule =
    places.flatMap((place) => plain.filter(({ resource }) => resource.metadata.namespace === place))[0] ?? null
  if (rule === null) return { rule, inherited: null, findings: [] }
  const same = plain.filter(
    (other) => other !== rule && other.resource.metadata.namespace === rule.resource.metadata.namespace,
  )
  const conflicts = same.map((other) => conflict(other, 'spec.host', rule, service))
  return { rule, inherited: null, findings: [...conflicts, ...ruleFindings(rule)] }
}

/** As in Istio: the whole traffic policy where it has none, and subsets that it does not name. */
function inheriting(own: Rule, base: Rule | undefined): Pick<ChosenRule, 'rule' | 'inherited'> {
  const subsets = base?.spec.subsets.filter(({ name }) => !own.spec.subsets.some((one) => one.name === name)) ?? []
  const policy = own.spec.trafficPolicy === undefined ? base?.spec.trafficPolicy : undefined
  if (base === undefined || (subsets.length === 0 && policy === undefined)) return { rule: own, inherited: null }
  const spec = {
    ...own.spec,
    subsets: [...own.spec.subsets, ...subsets],
    trafficPolicy: own.spec.trafficPolicy ?? policy,
  }
  return { rule: { resource: own.resource, spec }, inherited: base.resource }
}

function conflict({ resource }: Rule, path: string, holder: Rule, service: ServiceDefinition): MeshFinding {
  return {
    severity: 'error',
    code: 'WEFT_MESH_CONFLICT',
    origin: originOf(resource, path),
    message: `${describeOrigin(originOf(holder.resource, ''))} is older and already says how ${service.key} is called`,
    hint: 'write one DestinationRule for a host',
  }
}

function nameOf({ resource }: Rule): string {
  return resource.metadata.name
}

export interface EffectivePolicy extends Pick<TrafficPolicy, 'retryBudget' | 'tunnel' | 'proxyProtocol'> {
  parts: TrafficPolicyParts
}

/** A subset's policy replaces field by field; a port's replaces all of them (its absent fields mean the defaults). */
export function effectivePolicy(
  service: TrafficPolicy | undefined,
  subset: TrafficPolicy | undefined,
  port: number | null,
): EffectivePolicy {
  const parts = (policy: TrafficPolicy | undefined): TrafficPolicyParts => {
    const ofPort = policy?.portLevelSettings.find((setting) => setting.port.number === port)
    const { loadBalancer, connectionPool, outlierDetection, tls } = ofPort ?? policy ?? ({} as TrafficPolicyParts)
    return Object.fromEntries(
      Object.entries({ loadBalancer, connectionPool, outlierDetection, tls }).filter(
        ([, value]) => value !== undefined,
      ),
    )
  }
  // A subset that says either says both: the two exclude each other.
  const wraps = subset?.tunnel !== undefined || subset?.proxyProtocol !== undefined ? subset : service
  return {
    parts: { ...parts(service), ...parts(subset) },
    retryBudget: subset?.retryBudget ?? service?.retryBudget,
    tunnel: wraps?.tunnel,
    proxyProtocol: wraps?.proxyProtocol,
  }
}
