/** `weft get`: resources, workloads or kinds, as a table or as they are; with `-w` as they change. */
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { resourcePath, type ShownResource } from '../resource.js'
import { addNamespaceOption, addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'
import { formatAge, formatTable } from '../table.js'
import { changesOf } from '../watch.js'

interface GetOptions extends SessionOptions {
  namespace?: string
  selector?: string
  watch?: boolean
}

export const get: CliCommand = {
  name: 'get',
  about: 'show resources, workloads or kinds',
  declare(command, finish) {
    addNamespaceOption(addSessionOptions(command))
      .argument('[kind]', 'a kind of resource, `workloads` or `kinds`; absent: all resources')
      .argument('[name]', 'one of them; for workloads a service')
      .option('-l, --selector <labels>', 'name=value, several with commas')
      .option('-w, --watch', 'go on with what changes')
      .action((kind: string | undefined, name: string | undefined, options: GetOptions) => {
        return finish(withSession(options, (session) => execute(session, kind, name, options)))
      })
  },
}

async function execute(session: Session, kind: string | undefined, name: string | undefined, options: GetOptions) {
  if (kind === 'workloads' || kind === 'workload') {
    return options.watch ? followWorkloads(session, name, options) : showWorkloads(session, name, options)
  }
  if (kind === 'kinds') return showKinds(session)
  if (options.watch) return follow(session, kind, name, options)
  if (kind !== undefined && name !== undefined) return showOne(session, kind, name, options)
  const path = `/v1/resources?${queryOf({ kind, namespace: options.namespace, labels: options.selector })}`
  const { items } = await session.client.get<{ items: ShownResource[] }>(path)
  await session.print(resourceTable(items, Date.now()), session.format === 'yaml' ? items : { items })
  return exitCodes.ok
}

async function showOne(session: Session, kind: string, name: string, { namespace }: GetOptions): Promise<number> {
  const item = await session.client.get<ShownResource>(resourcePath(kind, namespace, name))
  await session.print(resourceTable([item], Date.now()), item)
  return exitCodes.ok
}

export function resourceTable(items: readonly ShownResource[], nowMs: number): string {
  if (items.length === 0) return 'no resources'
  const rows = items.map(({ kind, metadata: { namespace, name, resourceVersion, creationTimestamp } }) => {
    return [kind, namespace, name, resourceVersion, formatAge(nowMs - Date.parse(creationTimestamp))]
  })
  return formatTable(['KIND', 'NAMESPACE', 'NAME', 'VERSION', 'AGE'], rows)
}

export interface ShownWorkload {
  namespace: string
  service: string
  id: string
  address: string
  port: number
  health: string
  stale: boolean
  labels: Record<string, string>
  zone: string
}

async function showWorkloads(
  session: Session,
  service: string | undefined,
  { namespace }: GetOptions,
): Promise<number> {
  const path = `/v1/workloads?${queryOf({ service, namespace })}`
  const { items } = await session.client.get<{ items: ShownWorkload[] }>(path)
  await session.print(workloadTable(items), session.format === 'yaml' ? items : { items })
  return exitCodes.ok
}

export function workloadTable(items: readonly ShownWorkload[]): string {
  if (items.length === 0) return 'no workloads'
  const rows = items.map(({ namespace, service, id, address, port, health, stale, labels, zone }) => {
    const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
    return [namespace, service, id, place, stale ? `${health}, stale` : health, labels.version ?? '', zone]
  })
  return formatTable(['NAMESPACE', 'SERVICE', 'ID', 'ADDRESS', 'HEALTH', 'VERSION', 'ZONE'], rows)
}

/** A line for each that came, changed or went. */
async function followWorkloads(session: Session, service: string | undefined, { namespace }: GetOptions) {
  const path = `/v1/workloads?${queryOf({ service, namespace })}`
  let before = new Map<string, ShownWorkload>()
  for await (const { items } of changesOf<{ items: ShownWorkload[] }>(session, path, ({ items }) => items)) {
    const now = new Map(items.map((one) => [`${one.namespace}/${one.service}:${one.id}`, one]))
    for (const [name, one] of now) {
      const known = before.get(name)
      if (known === undefined) await printWorkload(session, 'added', name, one)
      else if (JSON.stringify(known) !== JSON.stringify(one)) await printWorkload(session, 'changed', name, one)
    }
    for (const [name, one] of before) if (!now.has(name)) await printWorkload(session, 'deleted', name, one)
    before = now
  }
  return exitCodes.ok
}

async function printWorkload(session: Session, type: string, name: string, workload: ShownWorkload): Promise<void> {
  const { health, stale } = workload
  const row = [type.padEnd(8), name, stale ? `${health}, stale` : health]
  await session.print(row.join('  '), session.format === 'yaml' ? [workload] : { type, workload })
}

async function showKinds(session: Session): Promise<number> {
  const { items } = await session.client.get<{ items: { kind: string; group: string }[] }>('/v1/kinds')
  const rows = items.map(({ kind, group }) => [kind, group])
  await session.print(formatTable(['KIND', 'GROUP'], rows), session.format === 'yaml' ? items : { items })
  return exitCodes.ok
}

interface Line {
  type: string
  revision: number
  resource?: ShownResource
}

/** Ends only with the process, or when the server has forgotten what lies between. */
async function follow(session: Session, kind: string | undefined, name: string | undefined, options: GetOptions) {
  const path = `/v1/watch?${queryOf({ kind, namespace: options.namespace, labels: options.selector })}`
  for (;;) {
    let relist = false
    for await (const line of session.client.lines<Line>(path)) {
      relist = line.type === 'relist'
      const { resource } = line
      if (resource === undefined || (name !== undefined && resource.metadata.name !== name)) continue
      const { metadata } = resource
      const row = [
        line.type.padEnd(8),
        resource.kind,
        `${metadata.namespace}/${metadata.name}`,
        metadata.resourceVersion,
      ]
      await session.print(row.join('  '), session.format === 'yaml' ? [resource] : line)
    }
    if (!relist) return exitCodes.ok
    session.say('the server no longer knows what lay between: from the beginning')
  }
}

function queryOf(values: Record<string, string | undefined>): URLSearchParams {
  const given = Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return new URLSearchParams(given)
}
