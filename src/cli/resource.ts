/** A resource as the API shows it, and the short ways to name it on a command line. */

export interface ShownResource {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    resourceVersion: string
    creationTimestamp: string
  }
  spec?: unknown
}

export interface ShownChange {
  kind: string
  namespace: string
  name: string
  outcome: 'created' | 'changed' | 'unchanged' | 'deleted'
  before: ShownResource | null
  after: ShownResource | null
}

export interface ShownChanges {
  revision: number
  dryRun: boolean
  changes: ShownChange[]
  notices: { resource: string; path: string; message: string; hint: string | null }[]
}

export function resourcePath(kind: string, namespace: string | undefined, name: string): string {
  return `/v1/resources/${[kind, namespace ?? 'default', name].map(encodeURIComponent).join('/')}`
}

/** `HTTPRoute.gateway.networking.k8s.io` → `HTTPRoute`. */
export function shortKind(kind: string): string {
  return kind.split('.')[0] ?? kind
}

/** One line per change, and one per notice. */
export function describeChanges({ changes, notices, dryRun }: ShownChanges): string {
  const lines = changes.map(({ kind, namespace, name, outcome }) => {
    return `${shortKind(kind)} ${namespace}/${name} ${outcome}${dryRun && outcome !== 'unchanged' ? ' (dry run)' : ''}`
  })
  const noted = notices.map(({ resource, path, message, hint }) => {
    return `notice: ${resource} ${path}: ${message}${hint === null ? '' : `; ${hint}`}`
  })
  return [...lines, ...noted].join('\n')
}
