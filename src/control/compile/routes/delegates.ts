/**
 * The rules of a VirtualService as they hold: a rule that delegates stands for those of its delegate, each narrowed to what
 * the rule sends. What a delegate says of a request holds, and where it says nothing, what the rule says.
 */

import { type VirtualServiceRule, type VirtualServiceSpec, virtualService } from '../../resources/virtual-service.js'
import type { MeshResource } from '../../state/mesh-source.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import { isVisible, keep, type Mesh } from '../mesh/mesh.js'
import type { Parsed } from '../mesh/parsed.js'
import type { Origin } from '../nouns.js'
import { mergeMatches } from './merge-matches.js'

export interface EffectiveRule {
  rule: VirtualServiceRule
  /** What its routes are called by. */
  name: string
  /** Where its destinations are written; short names are looked up there. */
  place: Place
  mirrors: Place
  /** The rule that delegates to it. */
  through: Origin | null
}

export interface Place {
  resource: MeshResource
  path: string
}

export interface EffectiveRules {
  rules: EffectiveRule[]
  findings: MeshFinding[]
}

type Route = Parsed<VirtualServiceSpec>

export function effectiveRules(mesh: Mesh, route: Route): EffectiveRules {
  const { namespace, name } = route.resource.metadata
  return keep(mesh, `rules of ${namespace}/${name}`, () => {
    const parts = route.spec.http.map((rule, index) => rulesOf(mesh, route, rule, index))
    return { rules: parts.flatMap(({ rules }) => rules), findings: parts.flatMap(({ findings }) => findings) }
  })
}

/** Those that no rule names say something to nobody. */
export function unusedDelegates(mesh: Mesh): MeshFinding[] {
  const all = mesh.kinds.of(virtualService)
  const used = new Set(
    all.flatMap(({ resource, spec }) =>
      spec.http.flatMap(({ delegate }) => (delegate === undefined ? [] : [keyOf(resource, delegate)])),
    ),
  )
  return all.flatMap(({ resource, spec }): MeshFinding[] => {
    if (spec.hosts.length > 0 || used.has(keyOf(resource, resource.metadata))) return []
    const message = 'has no hosts, and no VirtualService delegates to it'
    const hint = 'name its hosts, or name it as delegate in a rule of another'
    return [
      { severity: 'warning', code: 'WEFT_MESH_REFERENCE', origin: originOf(resource, 'spec.hosts'), message, hint },
    ]
  })
}

function rulesOf(mesh: Mesh, { resource }: Route, rule: VirtualServiceRule, index: number): EffectiveRules {
  const { kind, metadata } = resource
  const name = `${kind}/${metadata.namespace}/${metadata.name}/${rule.name ?? index}`
  const place = { resource, path: `spec.http[${index}]` }
  if (rule.delegate === undefined)
    return { rules: [{ rule, name, place, mirrors: place, through: null }], findings: [] }
  const found = findDelegate(mesh, resource, rule.delegate)
  if ('message' in found) {
    const { message, hint } = found
    const origin = originOf(resource, `${place.path}.delegate`)
    return { rules: [], findings: [{ severity: 'error', code: 'WEFT_MESH_REFERENCE', origin, message, hint }] }
  }
  const parts = found.spec.http.map((own, at) => mergedRule({ rule, name, place }, found.resource, own, at))
  return { rules: parts.flatMap(({ rules }) => rules), findings: parts.flatMap(({ findings }) => findings) }
}

function findDelegate(
  mesh: Mesh,
  from: MeshResource,
  delegate: NonNullable<VirtualServiceRule['delegate']>,
): Route | { message: string; hint: string } {
  const key = keyOf(from, delegate)
  const hint = 'until then the rule takes no requests'
  const found = mesh.kinds.of(virtualService).find(({ resource }) => keyOf(resource, resource.metadata) === key)
  if (found === undefined) return { message: `there is no VirtualService ${key}`, hint }
  if (found.spec.hosts.length > 0) return { message: `VirtualService ${key} has hosts, so it is no delegate`, hint }
  const { namespace } = from.metadata
  if (!isVisible(found.spec.exportTo, found.resource.metadata.namespace, namespace))
    return { message: `VirtualService ${key} is not exported to ${namespace}`, hint }
  return found
}

function keyOf(from: MeshResource, { namespace, name }: { namespace?: string | undefined; name: string }): string {
  return `${namespace ?? from.metadata.namespace}/${name}`
}

function mergedRule(
  root: { rule: VirtualServiceRule; name: string; place: Place },
  resource: MeshResource,
  own: VirtualServiceRule,
  at: number,
): EffectiveRules {
  const place = { resource, path: `spec.http[${at}]` }
  const through = originOf(root.place.resource, root.place.path)
  const { merged, conflict } = mergeMatches(root.rule.match, own.match)
  if (conflict !== null) {
    const message = `asks for requests that ${describeOrigin(through)} ${through.path} does not send here, so the rule takes none`
    const hint = 'a match of a delegate must be a part of one of the rule that delegates'
    const origin = originOf(resource, `${place.path}.match[${conflict}]`)
    return { rules: [], findings: [{ severity: 'error', code: 'WEFT_MESH_CONFLICT', origin, message, hint }] }
  }
  const { namespace, name } = resource.metadata
  const mirrored = own.mirror !== undefined || own.mirrors.length > 0
  return {
    rules: [
      {
        rule: { ...withDefaults(own, root.rule, mirrored), match: merged },
        name: `${root.name}/${namespace}/${name}/${own.name ?? at}`,
        place,
        mirrors: mirrored ? place : root.place,
        through,
      },
    ],
    findings: [],
  }
}

function withDefaults(own: VirtualServiceRule, root: VirtualServiceRule, mirrored: boolean): VirtualServiceRule {
  const { mirror, mirrorPercentage, mirrors } = mirrored ? own : root
  return {
    ...own,
    rewrite: own.rewrite ?? root.rewrite,
    timeout: own.timeout ?? root.timeout,
    retries: own.retries ?? root.retries,
    fault: own.fault ?? root.fault,
    corsPolicy: own.corsPolicy ?? root.corsPolicy,
    headers: own.headers ?? root.headers,
    mirror,
    mirrorPercentage,
    mirrors,
  }
}
