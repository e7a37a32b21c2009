/** `weft ca init|status|rotate|revoke|issue`: the certificate authority of the mesh. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { AuthorityStatus, ShownLink } from '../../control/ca/status.js'
import { WeftError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { createOutput, exitCodes } from '../output.js'
import { addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'
import { formatTable } from '../table.js'

interface InitOptions {
  data: string
  trustDomain: string
  caCert?: string
  caKey?: string
  passphraseFile?: string
  output: SessionOptions['output']
}

interface RotateOptions extends SessionOptions {
  force?: boolean
  wait: boolean
}

interface RevokeOptions extends SessionOptions {
  serial?: string
  identity?: string
  reason?: string
  lift?: boolean
}

interface IssueOptions extends SessionOptions {
  account?: string
  namespace?: string
  host?: string[]
  csr?: string
  lasts?: string
  out?: string
}

type Finish = (code: Promise<number>) => Promise<void>

export const ca: CliCommand = {
  name: 'ca',
  about: 'the certificate authority of the mesh: make, look at, rotate, revoke, issue',
  declare(command, finish) {
    declareInit(command.command('init').description('make an authority in the data folder of a control plane'), finish)
    addSessionOptions(
      command.command('status').description('who is trusted, how long each link lasts, what is under way'),
    )
      .option('--issued [identity]', 'the certificates that still last, of one identity or all')
      .action((options: SessionOptions & { issued?: string | true }) =>
        finish(withSession(options, (session) => showStatus(session, options.issued))),
      )
    addSessionOptions(command.command('rotate').description('another root takes the place of the present one'))
      .option('--force', 'take the next step without waiting for everybody')
      .option('--no-wait', 'begin, and leave the rest to the control plane')
      .action((options: RotateOptions) => finish(withSession(options, (session) => rotate(session, options))))
    declareRevoke(command.command('revoke').description('take back a certificate or an identity'), finish)
    declareIssue(command.command('issue').description('a certificate for a workload or a server'), finish)
  },
}

function declareInit(command: Command, finish: Finish): void {
  addSessionOptions(command)
    .requiredOption('--data <folder>', 'data folder of the control plane')
    .option('--trust-domain <name>', 'of SPIFFE IDs, as the control plane has it', 'cluster.local')
    .option('--ca-cert <file>', 'an authority of your own: who signs first, its root last; needs --ca-key')
    .option('--ca-key <file>', 'its key')
    .option('--passphrase-file <file>', 'lock keys with what stands there')
    .action((options: InitOptions) => finish(init(options)))
}

function declareRevoke(command: Command, finish: Finish): void {
  addSessionOptions(command)
    .option('--serial <hex>', 'one certificate; its holder gets another')
    .option('--identity <spiffe-id>', 'all certificates of an identity, and it gets none any more')
    .option('--reason <text>', 'for people')
    .option('--lift', 'the identity may have certificates again')
    .action((options: RevokeOptions) => finish(withSession(options, (session) => revoke(session, options))))
}

function declareIssue(command: Command, finish: Finish): void {
  addSessionOptions(command)
    .option('--account <name>', 'service account of a workload')
    .option('-n, --namespace <name>', 'its namespace')
    .option('--host <name...>', 'DNS names and addresses of a server')
    .option('--csr <file>', 'a request, whose key is used')
    .option('--lasts <duration>', 'shorter than usual, such as 30m', duration)
    .option('--out <folder>', 'write cert.pem, key.pem and roots.pem there')
    .action((options: IssueOptions) => finish(withSession(options, (session) => issue(session, options))))
}

function duration(text: string): string {
  if (/^(\d+h)?(\d+m)?(\d+s)?$/.test(text) && text !== '') return text
  throw new InvalidArgumentError('give a duration, such as 24h or 30m.')
}

async function init({
  data,
  trustDomain,
  caCert,
  caKey,
  passphraseFile,
  output: format,
}: InitOptions): Promise<number> {
  const output = createOutput(format === 'json' ? 'json' : 'text')
  try {
    const { initAuthority } = await import('../../control/ca/init-authority.js')
    const given = { certificate: caCert ?? null, key: caKey ?? null, passphraseFile: passphraseFile ?? null }
    const made = initAuthority(data, trustDomain, given, Date.now())
    output.result(`the authority ${made.id} is in ${made.folder}\n${linkTable(made.links)}`, made)
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return output.failure(error, data)
  }
}

interface Issued {
  items: { serial: string; identity: string; authority: string; notAfter: string }[]
}

async function showStatus({ client, print }: Session, issued: string | true | undefined): Promise<number> {
  if (issued !== undefined) {
    const query = issued === true ? '' : `?identity=${encodeURIComponent(issued)}`
    const found = await client.get<Issued>(`/v1/ca/issued${query}`)
    const rows = found.items.map(({ serial, identity, authority, notAfter }) => [serial, identity, authority, notAfter])
    await print(formatTable(['SERIAL', 'IDENTITY', 'AUTHORITY', 'ENDS'], rows), found)
    return exitCodes.ok
  }
  const status = await client.get<AuthorityStatus>('/v1/ca')
  await print(describeAuthorities(status), status)
  return exitCodes.ok
}

export function describeAuthorities({ trustDomain, authorities, rotation, issued, revoked }: AuthorityStatus): string {
  const lines = authorities.map(({ id, state, own, keyHere, until, links }) => {
    const notes = [own ? 'made here' : 'given', keyHere ? 'key here' : 'KEY NOT HERE']
    const ends = until === null ? '' : `, trusted until ${until}`
    return `authority  ${id}  ${state}${ends}  (${notes.join(', ')})\n${indent(linkTable(links))}`
  })
  const lasting = `issued     ${issued.lasting} certificates last${issued.firstEnd === null ? '' : `, the first until ${issued.firstEnd}`}`
  const taken = revoked.map(({ serial, identity, reason, by, at }) => [serial ?? 'all', identity ?? '', at, by, reason])
  return [
    `domain     ${trustDomain}`,
    ...lines,
    `rotation   ${rotation.step === 'nothing' ? 'none' : (rotation.why ?? 'its next step is being taken')}`,
    lasting,
    ...(taken.length === 0 ? [] : ['', formatTable(['REVOKED', 'IDENTITY', 'AT', 'BY', 'REASON'], taken)]),
  ].join('\n')
}

export function linkTable(links: readonly ShownLink[]): string {
  const rows = links.map(({ what, subject, notAfter, daysLeft }) => [what, subject, notAfter, daysText(daysLeft)])
  return formatTable(['LINK', 'SUBJECT', 'ENDS', 'DAYS LEFT'], rows)
}

function daysText(days: number): string {
  if (days < 0) return `${days} EXPIRED`
  return days < 30 ? days.toFixed(1) : String(Math.floor(days))
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}

const lookMs = 500

async function rotate(session: Session, { force = false, wait }: RotateOptions): Promise<number> {
  const { client, print, say } = session
  let status = await client.ask<AuthorityStatus>('POST', '/v1/ca/rotate', { force })
  let said = ''
  while (wait && status.authorities.some(({ state }) => state === 'adding')) {
    const { why } = status.rotation
    // Seconds that count down are one line.
    const told = (why ?? '').replace(/\d+ s more/, 'some seconds more')
    if (told !== said && why !== null) say(why)
    said = told
    await pause(lookMs)
    status = await client.get<AuthorityStatus>('/v1/ca')
  }
  const issuing = status.authorities.find(({ state }) => state === 'issuing')
  const retiring = status.authorities.find(({ state }) => state === 'retiring')
  const rest = retiring === undefined ? '' : `; ${retiring.id} is trusted until ${retiring.until}`
  const begun = status.authorities.some(({ state }) => state === 'adding')
  await print(begun ? 'the rotation has begun: weft ca status' : `${issuing?.id ?? 'none'} issues now${rest}`, status)
  return exitCodes.ok
}

async function revoke({ client, print }: Session, { serial, identity, reason, lift }: RevokeOptions): Promise<number> {
  if ((serial === undefined) === (identity === undefined)) {
    throw new WeftError('WEFT_API_REQUEST', 'give either --serial or --identity', {
      hint: 'weft ca status --issued lists both',
    })
  }
  const body = { serial: serial?.toLowerCase().replaceAll(':', ''), identity, reason, lift }
  const answer = await client.ask<{ revoked: { serial: string | null }[] }>('POST', '/v1/ca/revocations', body)
  const count = answer.revoked.filter((one) => one.serial !== null).length
  const certificates = `${count} certificate${count === 1 ? '' : 's'}`
  const whole = identity === undefined ? '' : `${identity} and `
  await print(lift ? `${identity} may have certificates again` : `${whole}${certificates} revoked`, answer)
  return exitCodes.ok
}

interface IssuedNow {
  serial: string
  notAfter: string
  chain: string
  key: string | null
  roots: string
}

async function issue({ client, print }: Session, options: IssueOptions): Promise<number> {
  const { account, namespace, host, csr, lasts, out } = options
  const request = csr === undefined ? undefined : await readRequest(csr)
  const body = { account, namespace, hosts: host, csr: request, lasts }
  const issued = await client.ask<IssuedNow>('POST', '/v1/ca/certificates', body)
  const { serial, notAfter, chain, key, roots } = issued
  if (out === undefined) {
    await print(`${chain}${key ?? ''}`, issued)
    return exitCodes.ok
  }
  const { writeIssued } = await import('../../control/client/certificate-files.js')
  writeIssued(out, { chain, key, roots })
  await print(`${serial}, until ${notAfter}, is in ${out}`, { serial, notAfter, folder: out })
  return exitCodes.ok
}

async function readRequest(file: string): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new WeftError('WEFT_CA_REQUEST', `cannot read ${file}: ${cause.message}`, { cause })
  })
}
