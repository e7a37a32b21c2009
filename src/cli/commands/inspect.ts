/** `weft inspect`: which data planes a resource reaches, or which resources reach a data plane, and what they do there. */
import type { Reached, Reaching } from '../../control/data-planes/data-planes.js'
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { shortKind } from '../resource.js'
import { addNamespaceOption, addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'
import { formatTable } from '../table.js'

type Options = SessionOptions & { namespace?: string }

interface Reach {
  items: Reached[]
  connected: number
  unknown: string[]
}

export const inspect: CliCommand = {
  name: 'inspect',
  about: 'show which data planes a resource reaches, or which resources reach a data plane',
  declare(command, finish) {
    addNamespaceOption(addSessionOptions(command))
      .argument('<node-or-kind>', 'a data plane by its node id, or a kind')
      .argument('[name]', 'of the resource')
      .action((first: string, name: string | undefined, options: Options) => {
        const run = (session: Session) =>
          name === undefined ? showNode(session, first) : showResource(session, first, name, options)
        return finish(withSession(options, run))
      })
  },
}

async function showNode({ client, print }: Session, node: string): Promise<number> {
  const { items } = await client.get<{ items: Reached[] }>(`/v1/inspect/nodes/${encodeURIComponent(node)}`)
  await print(items.map(describeNode).join('\n\n'), items)
  return exitCodes.ok
}

async function showResource({ client, print }: Session, kind: string, name: string, options: Options): Promise<number> {
  const key = [kind, options.namespace ?? 'default', name].map(encodeURIComponent).join('/')
  const found = await client.get<Reach>(`/v1/inspect/resources/${key}`)
  await print(describeReach(`${kind} ${name}`, found), found)
  return exitCodes.ok
}

/** A line for each part of each resource. */
export function describeNode({ node, kind, namespace, service, resources }: Reached): string {
  const title = `${node}: ${kind} of ${namespace}/${service}`
  if (resources.length === 0) return `${title}; no resource reaches it`
  const rows = resources.flatMap(({ resource, parts, notes }) => linesOf(shortName(resource), parts, notes))
  return `${title}\n${formatTable(['RESOURCE', 'SIDE', 'PART'], rows)}`
}

export function describeReach(name: string, { items, connected, unknown }: Reach): string {
  const planes = connected === 1 ? '1 data plane' : `${connected} data planes`
  const rest =
    unknown.length === 0 ? '' : `\nnot looked at: ${unknown.join(', ')}; ask the replica that it is connected to`
  if (items.length === 0) {
    const why =
      connected === 0 ? 'none is connected' : 'it selects none of them, or another resource holds in its place'
    return `${name} reaches none of ${planes}: ${why}${rest}`
  }
  const rows = items.flatMap(({ node, namespace, service, resources }) =>
    resources.flatMap(({ parts, notes }) =>
      linesOf(node, parts, notes).map(([first = '', ...rest], at) => [
        first,
        at === 0 ? `${namespace}/${service}` : '',
        ...rest,
      ]),
    ),
  )
  return `${name} reaches ${items.length} of ${planes}\n${formatTable(['NODE', 'SERVICE', 'SIDE', 'PART'], rows)}${rest}`
}

/** What is not in force stands below what is; a name stands in its first line. */
function linesOf(name: string, parts: Reaching['parts'], notes: readonly string[]): string[][] {
  const lines = [...parts.map(({ side, part }) => [side, part]), ...notes.map((note) => ['!', note])]
  return lines.map((line, at) => [at === 0 ? name : '', ...line])
}

/** `HTTPRoute.gateway.networking.k8s.io/default/canary` → `HTTPRoute default/canary`. */
function shortName(resource: string): string {
  const [kind = '', ...rest] = resource.split('/')
  return `${shortKind(kind)} ${rest.join('/')}`
}
