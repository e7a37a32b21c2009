/** A mesh in memory: resources and workloads that a test changes, each change a revision. */
import { readFileSync } from 'node:fs'
import { CORE_SCHEMA, loadAll } from 'js-yaml'
import { validateResource } from '../../src/control/resources/index.js'
import type { MeshResource, MeshSource, MeshState, Workload } from '../../src/control/state/mesh-source.js'

interface Written {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  spec?: unknown
  data?: unknown
}

export class MemoryMesh implements MeshSource {
  private state: MeshState = { revision: 1, resources: [], workloads: [] }
  private readonly listeners = new Set<() => void>()

  current(): MeshState {
    return this.state
  }

  stateOf(revision: number): number {
    return revision
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Adds or replaces the resources of a YAML text; each must pass the check. Returns the revision. */
  apply(yaml: string): number {
    const revision = this.state.revision + 1
    const resources = [...this.state.resources]
    for (const resource of readResources(yaml, revision)) {
      const at = resources.findIndex((one) => keyOf(one) === keyOf(resource))
      const created = resources[at]?.createdRevision ?? revision + resources.length / 1000
      resources.splice(at === -1 ? resources.length : at, at === -1 ? 0 : 1, { ...resource, createdRevision: created })
    }
    return this.change({ resources })
  }

  delete(kind: string, name: string): number {
    return this.change({
      resources: this.state.resources.filter((one) => one.kind !== kind || one.metadata.name !== name),
    })
  }

  /** Adds or replaces workloads by their ids. */
  register(...workloads: Workload[]): number {
    const ids = new Set(workloads.map(({ id }) => id))
    return this.change({ workloads: [...this.state.workloads.filter(({ id }) => !ids.has(id)), ...workloads] })
  }

  deregister(id: string): number {
    return this.change({ workloads: this.state.workloads.filter((one) => one.id !== id) })
  }

  private change(part: Partial<MeshState>): number {
    this.state = { ...this.state, ...part, revision: this.state.revision + 1 }
    for (const listener of this.listeners) listener()
    return this.state.revision
  }
}

export function workload(service: string, port: number, more: Partial<Workload> = {}): Workload {
  return {
    id: `${service}-${port}`,
    namespace: 'default',
    service,
    address: '127.0.0.1',
    port,
    ports: {},
    labels: {},
    region: '',
    zone: '',
    serviceAccount: service,
    weight: 1,
    health: 'healthy',
    stale: false,
    epoch: 1,
    ...more,
  }
}

/** The resources of a file or of a text, as the store would hold them. Throws what the check says. */
export function readResources(yaml: string, revision = 1): MeshResource[] {
  const documents = loadAll(yaml, { schema: CORE_SCHEMA }) as (Written | null)[]
  return documents
    .filter((document) => document !== null)
    .map((document, index) => {
      const { ok, issues } = validateResource(document)
      if (!ok) throw new Error(`${document.kind} ${document.metadata?.name}: ${JSON.stringify(issues, null, 2)}`)
      const { name, namespace = 'default', labels = {}, annotations = {} } = document.metadata
      return {
        apiVersion: document.apiVersion,
        kind: document.kind,
        metadata: { name, namespace, labels, annotations },
        spec: document.spec ?? document.data ?? {},
        version: revision,
        createdRevision: revision + index / 1000,
        createdAtMs: 0,
      }
    })
}

export function readResourceFile(file: string): MeshResource[] {
  return readResources(readFileSync(file, 'utf8'))
}

function keyOf({ kind, apiVersion, metadata: { namespace, name } }: MeshResource): string {
  return `${apiVersion.split('/')[0]} ${kind} ${namespace}/${name}`
}
