/**
 * The mesh as distribution reads it, over the store: resources as they were written, workloads as they stand.
 *
 * Invariants: a state is built at most once per revision and only when it is asked for; the half that did not change is
 * the same array as before, so that a reader can skip it by identity.
 */

import { keptOf, workloadKind, workloadOf } from '../registry/registration.js'
import { isResourceKind } from '../store/key.js'
import type { Entry, Store } from '../store/store.js'
import type { MeshResource, MeshSource, MeshState, Workload } from './mesh-source.js'

/** Older changes are answered for by everybody who has answered for anything. */
const rememberedChanges = 1_000

/** `close` ends the watch on the store. */
export function createMeshSource(store: Store): MeshSource & { close(): void } {
  const listeners = new Set<() => void>()
  let resources: readonly MeshResource[] | null = null
  let workloads: readonly Workload[] | null = null
  let state: MeshState | null = null
  const changes = [store.revision()]
  const end = store.watch(store.revision() + 1, (event) => {
    const kinds = event.type === 'relist' ? null : event.applied.changes.map(({ key }) => key.kind)
    const resourcesChanged = kinds === null || kinds.some(isResourceKind)
    const workloadsChanged = kinds === null || kinds.includes(workloadKind)
    if (!resourcesChanged && !workloadsChanged) return // tokens
    if (resourcesChanged) resources = null
    if (workloadsChanged) workloads = null
    state = null
    changes.push(event.type === 'relist' ? event.revision : event.applied.revision)
    if (changes.length > rememberedChanges) changes.shift()
    for (const listener of [...listeners]) listener()
  })
  return {
    current() {
      resources ??= store.list().flatMap((entry) => (isResourceKind(entry.key.kind) ? [resourceOf(entry)] : []))
      workloads ??= store.list({ kind: workloadKind }).map((entry) => workloadOf(keptOf(entry)))
      state ??= { revision: changes.at(-1) ?? 0, resources, workloads }
      return state
    },
    stateOf(revision) {
      if (revision > store.revision()) return revision
      return changes.findLast((change) => change <= revision) ?? revision
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: end,
  }
}

/** What people write, as the store keeps it: without the numbers that the store gives. */
export interface WrittenResource {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: unknown
  /** What a ConfigMap says. */
  data?: unknown
}

/** An entry of the store as distribution reads it. */
export function resourceOf({ value, version, createdRevision, createdAtMs }: Entry): MeshResource {
  const { apiVersion, kind, metadata, data = {}, spec = data } = value as unknown as WrittenResource
  const { name, namespace, labels = {}, annotations = {} } = metadata
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels, annotations },
    spec,
    version,
    createdRevision,
    createdAtMs,
  }
}
