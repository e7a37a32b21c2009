/**
 * Changes of resources, from what a person wrote to a commit: normalise, validate, compare, commit.
 *
 * Invariants: all issues of all resources at once, and nothing is changed when there is one; what does not change makes
 * no commit; a resource that carries `metadata.resourceVersion` is changed only if that version is in force.
 */
import { isDeepStrictEqual } from 'node:util'
import { WeftError } from '../../errors.js'
import { formatKey, type Key } from '../store/key.js'
import type { Change, Entry, Store, Value } from '../store/store.js'
import type { MeshSource, MeshState } from './mesh-source.js'
import { resourceOf, type WrittenResource } from './mesh-state.js'
import { kindId, type Notice, type ResourceIssue, type ResourceKinds } from './resource-kinds.js'

export type Outcome = 'created' | 'changed' | 'unchanged' | 'deleted'

export interface Changed {
  key: Key
  outcome: Outcome
  before: Entry | null
  /** What stands there after; with a dry run, what would. */
  value: Value | null
}

export interface ChangeResult {
  /** The revision that holds the changes; the one before it when there was none or the run was dry. */
  revision: number
  changes: Changed[]
  notices: readonly Notice[]
}

/** An issue with the place of its resource in the request. */
export interface PlacedIssue extends ResourceIssue {
  index: number
  resource: string
}

export interface ApplyOptions {
  author: string
  reason: string
  dryRun: boolean
  /** Whether the author may change the namespace; throws when not. */
  demand: (namespace: string) => void
}

export class ResourceChanges {
  private readonly store: Store
  private readonly kinds: ResourceKinds
  private readonly source: MeshSource

  constructor(store: Store, kinds: ResourceKinds, source: MeshSource) {
    this.store = store
    this.kinds = kinds
    this.source = source
  }

  async apply(written: readonly unknown[], options: ApplyOptions): Promise<ChangeResult> {
    const issues = written.flatMap((value, index) => issuesOf(this.kinds, value, index))
    if (issues.length > 0) throw invalid(issues)
    const resources = written.map((value) => normalise(value as WrittenResource))
    refuseTwice(resources)
    const planned = resources.map(({ key, value, expect }) => {
      options.demand(key.namespace)
      const before = this.store.get(key)
      const same =
        before !== null && isDeepStrictEqual(before.value, value) && (expect ?? before.version) === before.version
      const outcome: Outcome = same ? 'unchanged' : before === null ? 'created' : 'changed'
      return { key, outcome, before, value, expect: expect ?? before?.version ?? 0 }
    })
    return this.carryOut(planned, options)
  }

  /** Deletes; `expect` null for whatever stands there. Throws `WEFT_API_NOT_FOUND`. */
  async delete(key: Key, expect: number | null, options: ApplyOptions): Promise<ChangeResult> {
    options.demand(key.namespace)
    const before = this.get(key)
    const change = { key, outcome: 'deleted' as const, before, value: null, expect: expect ?? before.version }
    return this.carryOut([change], options)
  }

  /** Puts back what stood there at revision `to`, or before the last change. */
  async rollback(key: Key, to: number | null, options: ApplyOptions): Promise<ChangeResult> {
    options.demand(key.namespace)
    const history = this.store.history(key)
    const wanted = to === null ? history[1] : history.find(({ revision }) => revision <= to)
    if (wanted === undefined) {
      const known = history.map(({ revision }) => revision).join(', ')
      throw new WeftError('WEFT_API_NOT_FOUND', `${formatKey(key)} has no revision to go back to`, {
        hint: history.length === 0 ? 'it has no history' : `known revisions: ${known}`,
      })
    }
    const before = this.store.get(key)
    const reason = `rollback to ${wanted.revision}`
    const expect = before?.version ?? 0
    if (wanted.value === null) {
      if (before === null) return { revision: this.store.revision(), changes: [], notices: [] }
      return this.carryOut([{ key, outcome: 'deleted', before, value: null, expect }], { ...options, reason })
    }
    // The kinds may have changed since it was written.
    const issues = issuesOf(this.kinds, wanted.value, 0)
    if (issues.length > 0) throw invalid(issues)
    const same = before !== null && isDeepStrictEqual(before.value, wanted.value)
    const outcome: Outcome = same ? 'unchanged' : before === null ? 'created' : 'changed'
    return this.carryOut([{ key, outcome, before, value: wanted.value, expect }], { ...options, reason })
  }

  /** Throws `WEFT_API_NOT_FOUND`. */
  get(key: Key): Entry {
    const entry = this.store.get(key)
    if (entry !== null) return entry
    const gone = this.store.history(key)[0]
    const hint =
      gone === undefined ? 'see what there is: weft get' : `${gone.author} deleted it in revision ${gone.revision}`
    throw new WeftError('WEFT_API_NOT_FOUND', `there is no ${formatKey(key)}`, { hint })
  }

  private async carryOut(planned: (Changed & { expect: number })[], options: ApplyOptions): Promise<ChangeResult> {
    const { author, reason, dryRun } = options
    const effective = planned.filter(({ outcome }) => outcome !== 'unchanged')
    const changes = planned.map(({ expect: _, ...shown }) => shown)
    const notices = this.noticesOn(effective)
    if (dryRun) this.expectVersions(effective)
    if (dryRun || effective.length === 0) return { revision: this.store.revision(), changes, notices }
    const batch = effective.map(({ key, value, expect }): Change => ({ key, value, expect }))
    const { revision } = await this.store.commit({ author, reason, changes: batch })
    return { revision, changes, notices }
  }

  /** A dry run meets the same conflicts. */
  private expectVersions(planned: readonly (Changed & { expect: number })[]): void {
    for (const { key, before, expect } of planned) {
      if ((before?.version ?? 0) === expect) continue
      throw new WeftError(
        'WEFT_STORE_CONFLICT',
        `${formatKey(key)} is at version ${before?.version ?? 0}, not ${expect}`,
      )
    }
  }

  /** What the mesh as it would be gives cause to say about the resources that change. */
  private noticesOn(planned: readonly Changed[]): Notice[] {
    const state = this.source.current()
    const touched = new Set(planned.map(({ key }) => formatKey(key)))
    const kept = state.resources.filter(({ apiVersion, kind, metadata: { namespace, name } }) => {
      return !touched.has(formatKey({ kind: kindId(apiVersion, kind), namespace, name }))
    })
    const nextRevision = state.revision + 1
    const added = planned.flatMap(({ key, value, before }) => {
      if (value === null) return []
      const createdRevision = before?.createdRevision ?? nextRevision
      const times = { createdAtMs: before?.createdAtMs ?? 0, changedAtMs: 0, changedBy: '' }
      return [resourceOf({ key, value, version: nextRevision, createdRevision, ...times })]
    })
    const next: MeshState = { ...state, revision: nextRevision, resources: [...kept, ...added] }
    return this.kinds.review(next).filter(({ resource }) => touched.has(resource))
  }
}

/** Issues of one resource of a list. */
export function issuesOf(kinds: ResourceKinds, value: unknown, index: number): PlacedIssue[] {
  const { ok, issues } = kinds.validate(value)
  if (ok) return []
  const { kind = 'resource', metadata } = (value ?? {}) as { kind?: string; metadata?: { name?: string } }
  return issues.map((issue) => ({ ...issue, index, resource: `${kind}/${metadata?.name ?? ''}` }))
}

/** Without what a store or a cluster wrote beside it: versions, times, status. */
export function normalise({ apiVersion, kind, metadata, spec, data }: WrittenResource): {
  key: Key
  value: Value
  expect: number | null
} {
  const { name, namespace = 'default', labels, annotations } = metadata
  const { resourceVersion } = metadata as { resourceVersion?: string }
  const kept = {
    ...{ name, namespace },
    ...(labels !== undefined && Object.keys(labels).length > 0 && { labels }),
    ...(annotations !== undefined && Object.keys(annotations).length > 0 && { annotations }),
  }
  return {
    key: { kind: kindId(apiVersion, kind), namespace, name },
    value: {
      apiVersion,
      kind,
      metadata: kept,
      ...(spec !== undefined && { spec }),
      ...(data !== undefined && { data }),
    },
    expect: resourceVersion === undefined || resourceVersion === null ? null : Number(resourceVersion),
  }
}

function refuseTwice(resources: readonly { key: Key }[]): void {
  const seen = new Map<string, number>()
  const issues = resources.flatMap(({ key }, index): PlacedIssue[] => {
    const name = formatKey(key)
    const first = seen.get(name)
    if (first === undefined) {
      seen.set(name, index)
      return []
    }
    const message = `${name} stands in the same request already, as resource ${first + 1}`
    const code = 'WEFT_CONFIG_DUPLICATE'
    return [{ index, resource: name, path: 'metadata.name', code, message, hint: 'keep one of them' }]
  })
  if (issues.length > 0) throw invalid(issues)
}

export function invalid(issues: readonly PlacedIssue[]): WeftError {
  const many = issues.length === 1 ? '1 issue' : `${issues.length} issues`
  return new WeftError('WEFT_CONFIG_INVALID', `not applied: ${many}`, {
    issues: issues.map((issue) => ({ ...issue, line: null })),
  })
}
