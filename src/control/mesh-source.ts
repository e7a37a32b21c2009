/**
 * What the control plane distributes, as one value: the resources that people applied and the workloads that
 * registered. The store and the registry stand behind it; the compile step and the xDS server read nothing else.
 *
 * Invariant: a state is never changed after it was handed out; what did not change keeps its identity from one state to
 * the next, so that readers may cache by object.
 */
export interface ResourceMetadata {
  name: string
  namespace: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  /** RFC 3339; the older of two resources wins. Absent: as old as its place in the list says. */
  creationTimestamp?: string
}

/** A resource as it was written: it passed `validateResource` when it was applied. */
export interface Resource {
  apiVersion: string
  kind: string
  metadata: ResourceMetadata
  spec: unknown
}

/** One instance of a service, at the address at which others reach it. */
export interface Workload {
  id: string
  service: string
  namespace: string
  /** `ip:port` */
  address: string
  labels: Record<string, string>
  version: string
  region: string
  zone: string
  weight: number
  healthy: boolean
  /** Whose identity it shows in its certificate; empty: the service's name. */
  serviceAccount?: string
  /** What the port speaks; `http1` where nothing is said. */
  protocol?: 'http1' | 'http2' | 'tcp'
}

export interface MeshState {
  /** Grows with each change. */
  revision: number
  resources: readonly Resource[]
  workloads: readonly Workload[]
}

export interface MeshSource {
  current(): MeshState
  /** Calls after each change; the returned function ends it. */
  onChange(listener: () => void): () => void
}
