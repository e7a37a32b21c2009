/**
 * What the distribution side (compile, xDS) reads of the mesh: all resources and all workloads at one revision.
 *
 * Invariants: a state is immutable and complete; `revision` grows with every change of either; a listener is told that
 * something changed, never what, so that it can skip states it is too slow for.
 */

/** A resource as it was written, Kubernetes-shaped, with the numbers that the store gave it. */
export interface MeshResource {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace: string
    labels: Readonly<Record<string, string>>
    annotations: Readonly<Record<string, string>>
  }
  spec: unknown
  /** The revision that last changed it. */
  version: number
  /** The revision that created it: the lower one is the older one, which Gateway API's precedence asks for. */
  createdRevision: number
  createdAtMs: number
}

/** `draining`: takes no new work and is about to go. */
export type WorkloadHealth = 'healthy' | 'unhealthy' | 'draining'

/** One running instance of a service: an endpoint before it is compiled. */
export interface Workload {
  /** Unique within its service. */
  id: string
  namespace: string
  service: string
  /** An IP literal. */
  address: string
  port: number
  /** Further ports by name; `port` is the one without a name. */
  ports: Readonly<Record<string, number>>
  /** Labels of subsets and selectors; `version` stands among them when it was given. */
  labels: Readonly<Record<string, string>>
  region: string
  zone: string
  /** Service account, the last part of the SPIFFE ID. */
  serviceAccount: string
  weight: number
  health: WorkloadHealth
  /** It has missed its heartbeats and is kept only because eviction is held back. */
  stale: boolean
  /** Grows with each registration under the same id: news of an older epoch is void. */
  epoch: number
}

export interface MeshState {
  /** The one that last changed resources or workloads. */
  revision: number
  resources: readonly MeshResource[]
  workloads: readonly Workload[]
  /** Keys of issuers of tokens, by where they are fetched; absent: nobody fetches here. */
  keySets?: KeySets
}

export type KeySets = ReadonlyMap<string, FetchedKeys>

export interface FetchedKeys {
  /** A JSON Web Key Set: the last good one; null: there was none yet. */
  keys: string | null
  /** Why the last attempt failed; null: it did not. */
  fault: string | null
}

export interface MeshSource {
  current(): MeshState
  /**
   * The revision whose state is that of the given one: the last change of the mesh up to it. A commit of tokens asks
   * nothing of a data plane that has what stood before it. A revision that is not known yet is its own.
   */
  stateOf(revision: number): number
  /** Calls back after each change, at once per commit; the returned function ends it. */
  onChange(listener: () => void): () => void
}
