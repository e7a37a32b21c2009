/** `weft status`: how the control plane is, and how far each data plane has come. */
import type { ShownLink } from '../../control/ca/status.js'
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'
import { formatAge, formatTable } from '../table.js'
import { changesOf } from '../watch.js'
import { linkTable } from './ca.js'

export interface Status {
  version: string
  uptimeMs: number
  revision: number
  resources: number
  store: {
    type: string
    writable: boolean
    reason: string | null
    leader: { id: string; address: string; isSelf: boolean } | null
    findings: string[]
  }
  registry: { services: number; workloads: number; stale: number; held: { silent: number; allowed: number } | null }
  certificates: ShownLink[]
  dataPlanes: DataPlane[]
}

interface DataPlane {
  node: string
  kind: string
  namespace: string
  service: string
  replica: string | null
  sentRevision: number
  ackedRevision: number
  staleMs: number
  lastRefusal: { resource: string | null; message: string; revision: number } | null
}

export const status: CliCommand = {
  name: 'status',
  about: 'show how the control plane is and how far each data plane has come',
  declare(command, finish) {
    addSessionOptions(command)
      .option('-w, --watch', 'go on with what changes')
      .action((options: StatusOptions) => finish(withSession(options, (session) => execute(session, options))))
  },
}

interface StatusOptions extends SessionOptions {
  watch?: boolean
}

async function execute(session: Session, { watch }: StatusOptions): Promise<number> {
  if (!watch) {
    const found = await session.client.get<Status>('/v1/status')
    await session.print(describeStatus(found), found)
    return exitCodes.ok
  }
  // A person sees one status that changes; a pipe gets one after the other.
  const before = process.stdout.isTTY === true ? '\u001b[H\u001b[2J' : ''
  const after = before === '' ? '\n\n' : '\n'
  for await (const found of changesOf<Status>(session, '/v1/status', essence)) {
    await session.print(`${before}${describeStatus(found)}${after}`, session.format === 'yaml' ? [found] : found)
  }
  return exitCodes.ok
}

/** Without what only time changes: ages, and the days that certificates have left. */
function essence({ uptimeMs: _, certificates, dataPlanes, ...rest }: Status): unknown {
  return {
    ...rest,
    certificates: certificates.map(({ serial }) => serial),
    dataPlanes: dataPlanes.map(({ staleMs, ...one }) => ({ ...one, behind: staleMs > 0, connectedAtMs: null })),
  }
}

export function describeStatus({
  version,
  uptimeMs,
  revision,
  resources,
  store,
  registry,
  certificates,
  dataPlanes,
}: Status): string {
  const { type, writable, reason, leader, findings } = store
  const taken = writable ? 'changes are taken' : `changes are NOT taken: ${reason}`
  const leads =
    leader === null ? '' : `, ${leader.isSelf ? 'this replica leads' : `${leader.id} leads at ${leader.address}`}`
  const held = registry.held === null ? '' : `; EVICTION IS HELD BACK: ${registry.held.silent} silent at once`
  const facts = [
    `control    weft ${version}, up ${formatAge(uptimeMs)}, revision ${revision}, ${resources} resources`,
    `store      ${type}, ${taken}${leads}`,
    ...findings.map((finding) => `           ${finding}`),
    `registry   ${registry.services} services, ${registry.workloads} workloads, ${registry.stale} stale${held}`,
  ]
  if (certificates.length > 0) facts.push('', linkTable(certificates), '')
  if (dataPlanes.length === 0) return [...facts, 'data       no data plane is connected'].join('\n')
  return [...facts, '', dataPlaneTable(dataPlanes)].join('\n')
}

function dataPlaneTable(dataPlanes: readonly DataPlane[]): string {
  const several = dataPlanes.some(({ replica }) => replica !== null)
  const rows = dataPlanes.map(
    ({ node, kind, namespace, service, replica, sentRevision, ackedRevision, staleMs, lastRefusal }) => {
      const refusal =
        lastRefusal === null ? '' : `${lastRefusal.revision}: ${lastRefusal.resource ?? ''} ${lastRefusal.message}`
      const state = staleMs === 0 ? 'in step' : `behind for ${formatAge(staleMs)}`
      const where = several ? [replica ?? ''] : []
      return [node, kind, `${namespace}/${service}`, ...where, state, `${ackedRevision}/${sentRevision}`, refusal]
    },
  )
  return formatTable(
    ['NODE', 'KIND', 'SERVICE', ...(several ? ['REPLICA'] : []), 'STATE', 'ACKED/SENT', 'LAST REFUSAL'],
    rows,
  )
}
