/** `weft status`: how the control plane is, and how far each data plane has come. */
import type { ShownLink } from '../../control/ca/status.js'
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { addSessionOptions, type SessionOptions, withSession } from '../session.js'
import { formatAge, formatTable } from '../table.js'
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
    addSessionOptions(command).action((options: SessionOptions) => {
      return finish(
        withSession(options, async ({ client, print }) => {
          const found = await client.get<Status>('/v1/status')
          await print(describeStatus(found), found)
          return exitCodes.ok
        }),
      )
    })
  },
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
