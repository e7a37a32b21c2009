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
  data?: unknown
}

export interface ShownChange {
  kind: string
  namespace: string
  name: string
  outcome: 'created' | 'changed' | 'unchanged' | 'deleted'
  before: ShownResource | null
  after: ShownResource | null
}

export interface Notice {
  resource: string
  path: string
  message: string
  hint: string | null
}

export interface ShownChanges {
  revision: number
  dryRun: boolean
  changes: ShownChange[]
  notices: Notice[]
}

export function resourcePath(kind: string, namespace: string | undefined, name: string): string {
  return `/v1/resources/${[kind, namespace ?? 'default', name].map(encodeURIComponent).join('/')}`
}

/** `HTTPRoute.gateway.networking.k8s.io` → `HTTPRoute`. */
export function shortKind(kind: string): string {
  return kind.split('.')[0] ?? kind
}

/** One line per change. */
export function describeChanges({ changes, dryRun }: ShownChanges): string {
  const lines = changes.map(({ kind, namespace, name, outcome }) => {
    return `${shortKind(kind)} ${namespace}/${name} ${outcome}${dryRun && outcome !== 'unchanged' ? ' (dry run)' : ''}`
  })
  return lines.join('\n')
}

/** What the mesh gives cause to say about a change; `place` is the file and line, when there is one. */
export function describeNotice({ resource, path, message, hint }: Notice, place: string | null): string {
  return `notice: ${place ?? resource}  ${path}  ${message}${hint === null ? '' : `; ${hint}`}`
}
