/** `weft token create|list|revoke`: who may ask the control plane for what. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { WeftError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { createOutput, exitCodes } from '../output.js'
import { addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'
import { formatTable } from '../table.js'

interface CreateOptions extends SessionOptions {
  name: string
  role: 'workload' | 'viewer' | 'operator' | 'admin'
  namespace?: string[]
  service?: string
  expiresIn?: string
  data?: string
}

interface ShownToken {
  id: string
  name: string
  role: string
  namespaces: string[]
  service: string | null
  createdAtMs: number
  createdBy: string
  expiresAtMs: number | null
}

type Finish = (code: Promise<number>) => Promise<void>

export const token: CliCommand = {
  name: 'token',
  about: 'make, list and revoke tokens of the control plane',
  declare(command, finish) {
    declareCreate(command.command('create').description('make a token; its text is printed once'), finish)
    addSessionOptions(command.command('list').description('the tokens that there are')).action(
      (options: SessionOptions) => finish(withSession(options, list)),
    )
    addSessionOptions(command.command('revoke').description('end a token at once'))
      .argument('<id>')
      .action((id: string, options: SessionOptions) => finish(withSession(options, (session) => revoke(session, id))))
  },
}

function declareCreate(command: Command, finish: Finish): void {
  const role = new Option('--role <role>', 'what it may do').choices(['workload', 'viewer', 'operator', 'admin'])
  addSessionOptions(command)
    .requiredOption('--name <name>', 'for people: who or what holds it')
    .addOption(role.makeOptionMandatory())
    .option('-n, --namespace <namespace...>', 'where; absent: everywhere')
    .option('--service <service>', 'the only service that it may register')
    .option('--expires-in <duration>', 'such as 24h; absent: it does not expire', duration)
    .option('--data <folder>', 'without a server: in the folder of one that is not running')
    .action((options: CreateOptions) =>
      finish(options.data === undefined ? online(options) : offline(options, options.data)),
    )
}

function duration(text: string): string {
  if (/^(\d+h)?(\d+m)?(\d+s)?$/.test(text) && text !== '') return text
  throw new InvalidArgumentError('give a duration, such as 24h or 30m.')
}

function online(options: CreateOptions): Promise<number> {
  return withSession(options, async ({ client, print }) => {
    const made = await client.ask<{ token: ShownToken; text: string }>('POST', '/v1/tokens', requestOf(options))
    await print(made.text, made)
    return exitCodes.ok
  })
}

/** The way back in when every admin's token is lost: whoever can write the folder is an admin already. */
async function offline(options: CreateOptions, data: string): Promise<number> {
  const { createTokenOffline } = await import('../../control/access/offline-token.js')
  try {
    process.stdout.write(`${await createTokenOffline(data, requestOf(options))}\n`)
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return createOutput('text').failure(error, data)
  }
}

function requestOf({ name, role, namespace, service, expiresIn }: CreateOptions) {
  return { name, role, namespaces: namespace ?? ['*'], service: service ?? null, expiresIn: expiresIn ?? null }
}

async function list({ client, print }: Session): Promise<number> {
  const { items } = await client.get<{ items: ShownToken[] }>('/v1/tokens')
  await print(tokenTable(items), { items })
  return exitCodes.ok
}

export function tokenTable(items: readonly ShownToken[]): string {
  const rows = items.map(({ id, name, role, namespaces, service, createdBy, expiresAtMs }) => {
    const expires = expiresAtMs === null ? 'never' : new Date(expiresAtMs).toISOString()
    return [id, name, role, namespaces.join(','), service ?? '', expires, createdBy]
  })
  return formatTable(['ID', 'NAME', 'ROLE', 'NAMESPACES', 'SERVICE', 'EXPIRES', 'MADE BY'], rows)
}

async function revoke({ client, print }: Session, id: string): Promise<number> {
  const answer = await client.ask<{ revoked: string }>('DELETE', `/v1/tokens/${encodeURIComponent(id)}`)
  await print(`${answer.revoked} is revoked`, answer)
  return exitCodes.ok
}
