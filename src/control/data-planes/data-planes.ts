/**
 * What the API says about data planes: who is connected, what each has taken or refused. The xDS server is one; where
 * none runs, `noDataPlanes` answers.
 */
import type { MeshNode } from '../compile/mesh/node.js'

/** One refusal of a data plane, as precise as it was told. */
export interface Refusal {
  /** `Kind.group/namespace/name` of the resource at fault, null when the data plane's words do not tell. */
  resource: string | null
  /** Path in the resource, such as `spec.rules[0]`, when known. */
  path: string | null
  message: string
}

export interface DataPlane {
  /** The node id of its bootstrap. */
  node: string
  /** `envoy`, `grpc` … */
  kind: string
  namespace: string
  service: string
  /** The replica that it is connected to; null where there is only one. */
  replica: string | null
  connectedAtMs: number
  /** The newest revision that it has been sent, and the newest that it has accepted. */
  sentRevision: number
  ackedRevision: number
  /** Milliseconds for which it has been behind; 0 when it is in step. */
  staleMs: number
  lastRefusal: (Refusal & { revision: number; atMs: number }) | null
  /** All that what reaches it follows from; null: its replica could not tell. */
  description: MeshNode | null
}

/** What one data plane made of one revision. */
export interface Verdict {
  node: string
  state: 'applied' | 'refused' | 'pending'
  refusals: readonly Refusal[]
}

/** A resource that reaches a data plane. */
export interface Reaching {
  /** `Kind.group/namespace/name`. */
  resource: string
  /** Empty: nothing of it is in force there. */
  parts: readonly { side: 'client' | 'server'; part: string }[]
  /** Why it, or a part of it, is not in force there. */
  notes: readonly string[]
}

export interface Reached {
  node: string
  kind: string
  namespace: string
  service: string
  resources: readonly Reaching[]
}

export interface DataPlanes {
  list(): readonly DataPlane[]
  /** What reaches each of these whose description is known. */
  reached(planes: readonly DataPlane[]): readonly Reached[]
  /** Verdicts on a revision by every data plane that it concerns, as they stand now. */
  verdicts(revision: number): readonly Verdict[]
  /** Calls back when a data plane came, went, accepted or refused; the returned function ends it. */
  onChange(listener: () => void): () => void
}

export const noDataPlanes: DataPlanes = {
  list: () => [],
  reached: () => [],
  verdicts: () => [],
  onChange: () => () => {},
}
