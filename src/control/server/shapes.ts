/** The shapes that several endpoints answer with, and how they are made from the store's. */
import * as z from 'zod'
import { WeftError } from '../../errors.js'
import type { Changed, ChangeResult } from '../state/resource-changes.js'
import type { Entry, HistoryEntry, Value } from '../store/store.js'

export const resource = z
  .looseObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({
      name: z.string(),
      namespace: z.string().optional(),
      resourceVersion: z.string().optional(),
      creationTimestamp: z.string().optional(),
    }),
    spec: z.unknown().optional(),
  })
  .meta({ title: 'Resource' })

const outcome = z.enum(['created', 'changed', 'unchanged', 'deleted'])

export const changeResult = z
  .object({
    revision: z.int(),
    dryRun: z.boolean(),
    changes: z.array(
      z.object({
        kind: z.string(),
        namespace: z.string(),
        name: z.string(),
        outcome,
        before: resource.nullable(),
        after: resource.nullable(),
      }),
    ),
    notices: z.array(
      z.object({ resource: z.string(), path: z.string(), message: z.string(), hint: z.string().nullable() }),
    ),
  })
  .meta({ title: 'ChangeResult' })

export const historyEntry = z
  .object({
    revision: z.int(),
    at: z.iso.datetime(),
    author: z.string(),
    reason: z.string(),
    resource: resource.nullable().meta({ description: 'null: it was deleted' }),
  })
  .meta({ title: 'HistoryEntry' })

export const workload = z
  .object({
    id: z.string(),
    namespace: z.string(),
    service: z.string(),
    address: z.string(),
    port: z.int(),
    ports: z.record(z.string(), z.int()),
    labels: z.record(z.string(), z.string()),
    region: z.string(),
    zone: z.string(),
    serviceAccount: z.string(),
    weight: z.int(),
    health: z.enum(['healthy', 'unhealthy', 'draining']),
    stale: z.boolean(),
    epoch: z.int(),
  })
  .meta({ title: 'Workload' })

export const token = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(['workload', 'viewer', 'operator', 'admin']),
    namespaces: z.array(z.string()),
    service: z.string().nullable(),
    createdAtMs: z.number(),
    createdBy: z.string(),
    expiresAtMs: z.number().nullable(),
  })
  .meta({ title: 'Token' })

const refusal = z.object({ resource: z.string().nullable(), path: z.string().nullable(), message: z.string() })

export const dataPlane = z
  .object({
    node: z.string(),
    kind: z.string(),
    namespace: z.string(),
    service: z.string(),
    replica: z.string().nullable().meta({ description: 'Where it is connected; null: there is one replica' }),
    connectedAtMs: z.number(),
    sentRevision: z.int(),
    ackedRevision: z.int(),
    staleMs: z.number(),
    lastRefusal: refusal.extend({ revision: z.int(), atMs: z.number() }).nullable(),
  })
  .meta({ title: 'DataPlane' })

export const reachedBy = z
  .object({
    node: z.string(),
    kind: z.string(),
    namespace: z.string(),
    service: z.string(),
    resources: z.array(
      z.object({
        resource: z.string(),
        parts: z.array(z.object({ side: z.enum(['client', 'server']), part: z.string() })),
        notes: z.array(z.string()),
      }),
    ),
  })
  .meta({ title: 'Reached' })

export const verdict = z
  .object({ node: z.string(), state: z.enum(['applied', 'refused', 'pending']), refusals: z.array(refusal) })
  .meta({ title: 'Verdict' })

/** As it was written, with the numbers that let it be changed safely. */
export function shownResource({ value, version, createdAtMs }: Entry): Value {
  const { apiVersion, kind, metadata, ...rest } = value
  const numbers = { resourceVersion: String(version), creationTimestamp: new Date(createdAtMs).toISOString() }
  return { apiVersion, kind, metadata: { ...(metadata as object), ...numbers }, ...rest }
}

export function shownChanges({ revision, changes, notices }: ChangeResult, dryRun: boolean) {
  const shown = changes.map(({ key, outcome, before, value }: Changed) => {
    return { ...key, outcome, before: before === null ? null : shownResource(before), after: value }
  })
  return { revision, dryRun, changes: shown, notices }
}

export function shownHistory({ revision, atMs, author, reason, value }: HistoryEntry) {
  return { revision, at: new Date(atMs).toISOString(), author, reason, resource: value }
}

/** A query's `true`, `false` or nothing. */
export const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')

export const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'must be a whole number' })
  .transform(Number)

/** No data plane of this name is connected; those that are, for a hint. */
export function notConnected(node: string, connected: readonly { node: string }[]): WeftError {
  const names = connected.map((plane) => plane.node)
  return new WeftError('WEFT_API_NOT_FOUND', `no data plane named ${JSON.stringify(node)} is connected`, {
    hint: names.length === 0 ? 'none is; weft status lists them' : `connected: ${names.slice(0, 10).join(', ')}`,
  })
}
