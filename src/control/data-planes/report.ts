/**
 * What one replica tells the others of its data planes, and how they read it.
 *
 * Invariant: small. Who is connected stands in parts that change when somebody comes or goes; how far they are is one
 * part, in which data planes that are equally far, or refuse the same, stand together.
 */
import * as z from 'zod'
import type { MeshNode } from '../compile/mesh/node.js'
import type { Value } from '../store/store.js'
import type { DataPlane, DataPlanes, Verdict } from './data-planes.js'

const refusal = z.object({ resource: z.string().nullable(), path: z.string().nullable(), message: z.string() })
const lastRefusal = refusal.extend({ revision: z.int(), atMs: z.number() })

/** What a member says of itself beside its names. */
const description = z.object({
  plane: z.enum(['envoy', 'grpc']),
  role: z.enum(['sidecar', 'gateway']),
  account: z.string(),
  labels: z.record(z.string(), z.string()),
  region: z.string(),
  zone: z.string(),
  // Older members do not say it.
  zoneAware: z.boolean().default(false),
  outbound: z.string().nullable(),
  inbound: z.string().nullable(),
  app: z.string().nullable(),
  hosts: z.enum(['all', 'on-demand']),
}) satisfies z.ZodType<Omit<MeshNode, 'id' | 'namespace' | 'service'>>

const member = z.object({
  node: z.string(),
  kind: z.string(),
  namespace: z.string(),
  service: z.string(),
  connectedAtMs: z.number(),
  description: description.nullable().catch(null),
})
const members = z.object({ members: z.array(member) })

/**
 * `nodes` null: all that no other group names. `sinceMs` null: in step. `holds`: whatever comes, as where the mesh cannot
 * be compiled for it.
 */
const progress = z.object({
  groups: z.array(
    z.object({
      sentRevision: z.int(),
      ackedRevision: z.int(),
      sinceMs: z.number().nullable(),
      nodes: z.array(z.string()).nullable(),
    }),
  ),
  refused: z.array(z.object({ refusals: z.array(refusal), holds: z.boolean(), nodes: z.array(z.string()) })),
  lastRefusals: z.array(z.object({ refusal: lastRefusal, nodes: z.array(z.string()) })),
})

type Progress = z.output<typeof progress>

const progressPart = 'progress'
/** Somebody who comes or goes changes one of them. */
const memberParts = 16
/** Who has longer labels is told without a description: one of them must not keep the others from being told. */
const maxLabelsLength = 4_096

/** Every part, by name; null: there is nothing to say in it. */
export function writeReport(planes: Pick<DataPlanes, 'list' | 'verdicts'>, nowMs: number): Map<string, Value | null> {
  const list = planes.list()
  const parts = new Map<string, Value | null>()
  const byPart = grouped(list, ({ node }) => partOf(node))
  for (let index = 0; index < memberParts; index += 1) {
    const name = `members-${index}`
    const written = (byPart.get(name) ?? []).map(({ node, kind, namespace, service, connectedAtMs, ...plane }) => {
      const description = writeDescription(plane.description)
      return { node, kind, namespace, service, connectedAtMs: Math.round(connectedAtMs), description }
    })
    parts.set(name, written.length === 0 ? null : { members: written })
  }
  parts.set(progressPart, list.length === 0 ? null : progressOf(list, planes, nowMs))
  return parts
}

function writeDescription(node: MeshNode | null): z.output<typeof description> | null {
  if (node === null) return null
  const { id, namespace, service, ...written } = node
  const length = Object.entries(node.labels).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return length > maxLabelsLength ? null : written
}

function progressOf(list: readonly DataPlane[], { verdicts }: Pick<DataPlanes, 'verdicts'>, nowMs: number): Progress {
  const groups = [...grouped(list, ({ sentRevision, ackedRevision }) => `${sentRevision} ${ackedRevision}`).values()]
  groups.sort((a, b) => b.length - a.length)
  const refusing = verdicts(0).filter(({ refusals }) => refusals.length > 0)
  const never = verdicts(Number.MAX_SAFE_INTEGER).filter(({ state }) => state === 'refused')
  const holding = new Set(never.map(({ node }) => node))
  return {
    groups: groups.flatMap((group, index) => {
      const [{ sentRevision, ackedRevision } = { sentRevision: 0, ackedRevision: 0 }] = group
      const staleMs = Math.max(...group.map((plane) => plane.staleMs))
      // In tenths of a second, so that saying it again is saying the same.
      const sinceMs = staleMs === 0 ? null : Math.round((nowMs - staleMs) / 100) * 100
      return [{ sentRevision, ackedRevision, sinceMs, nodes: index === 0 ? null : group.map(({ node }) => node) }]
    }),
    refused: refusedOf(refusing, holding),
    lastRefusals: lastRefusalsOf(list),
  }
}

function refusedOf(refusing: readonly Verdict[], holding: ReadonlySet<string>): Progress['refused'] {
  const alike = grouped(refusing, ({ node, refusals }) => JSON.stringify([holding.has(node), refusals]))
  return [...alike.values()].map((group) => {
    const [{ node, refusals } = { node: '', refusals: [] }] = group
    return { refusals: [...refusals], holds: holding.has(node), nodes: group.map((one) => one.node) }
  })
}

function lastRefusalsOf(list: readonly DataPlane[]): Progress['lastRefusals'] {
  const alike = grouped(list, ({ lastRefusal: last }) => JSON.stringify({ ...last, atMs: 0 }))
  return [...alike.values()].flatMap((group) => {
    const last = group[0]?.lastRefusal ?? null
    return last === null ? [] : [{ refusal: last, nodes: group.map(({ node }) => node) }]
  })
}

export interface ReportedPlane {
  plane: DataPlane
  refusals: Verdict['refusals']
  /** They stand for every revision. */
  holds: boolean
}

/** What does not look like a report, of another version for example, says nothing. */
export function readReport(replica: string, parts: ReadonlyMap<string, Value>, nowMs: number): ReportedPlane[] {
  const told = progress.safeParse(parts.get(progressPart))
  if (!told.success) return []
  const { groups, refused, lastRefusals } = told.data
  const groupOf = byNode(groups)
  const rest = groups.find(({ nodes }) => nodes === null)
  const refusedBy = byNode(refused)
  const lastOf = byNode(lastRefusals)
  return [...parts.values()].flatMap((part) => {
    return membersIn(part).map(({ description, ...one }): ReportedPlane => {
      const { node: id, namespace, service } = one
      const { sentRevision = 0, ackedRevision = 0, sinceMs = null } = groupOf.get(one.node) ?? rest ?? {}
      const staleMs = sinceMs === null ? 0 : Math.max(1, nowMs - sinceMs)
      const last = lastOf.get(one.node)?.refusal ?? null
      return {
        plane: {
          ...{ ...one, replica, sentRevision, ackedRevision, staleMs, lastRefusal: last },
          description: description && { id, namespace, service, ...description },
        },
        refusals: refusedBy.get(one.node)?.refusals ?? [],
        holds: refusedBy.get(one.node)?.holds ?? false,
      }
    })
  })
}

const read = new WeakMap<Value, readonly z.output<typeof member>[]>()

/** Read once: what is told anew is another value. */
function membersIn(part: Value): readonly z.output<typeof member>[] {
  const known = read.get(part)
  if (known !== undefined) return known
  const who = members.safeParse(part)
  const found = who.success ? who.data.members : []
  read.set(part, found)
  return found
}

function byNode<Group extends { nodes: readonly string[] | null }>(groups: readonly Group[]): Map<string, Group> {
  return new Map(groups.flatMap((group) => (group.nodes ?? []).map((node) => [node, group] as const)))
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

function partOf(node: string): string {
  let sum = 0
  for (let index = 0; index < node.length; index += 1) sum = (sum * 31 + node.charCodeAt(index)) >>> 0
  return `members-${sum % memberParts}`
}
