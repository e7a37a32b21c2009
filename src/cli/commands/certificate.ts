/**
 * `weft certificate`: a workload's certificate as files, for programs that read theirs from files, such as gRPC without a
 * proxy; renewed for as long as it runs, or as the application after `--` does.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Command } from 'commander'
import type { Authority } from '../../control/client/authority.js'
import type { CertificateAgent } from '../../control/client/certificate-agent.js'
import { WeftError } from '../../errors.js'
import { createLogger } from '../../telemetry/logger.js'
import type { CliCommand } from '../command.js'
import { createOutput, exitCodes } from '../output.js'

interface CertificateOptions {
  out: string
  control?: string
  controlCa?: string
  socket?: string
  namespace?: string
  account?: string
  token?: string
  tokenFile?: string
  node?: string
  renew?: boolean
}

export const certificate: CliCommand = {
  name: 'certificate',
  about: 'keep a workload’s certificate in files; after --, the application that reads them',
  declare(command, finish) {
    addOptions(command)
      .argument('[app...]', 'application and its arguments; the certificate is renewed for as long as it runs')
      .action((app: string[], options: CertificateOptions) => finish(execute(app, options)))
  },
}

function addOptions(command: Command): Command {
  return command
    .requiredOption('--out <folder>', 'where cert.pem, key.pem, roots.pem and revoked.crl are written')
    .option('--control <address>', 'host:port where data planes connect')
    .option(
      '--control-ca <file>',
      'roots that the control plane is checked against; without it the connection is plain',
    )
    .option('--socket <path>', 'the Unix socket of a control plane on this machine, in place of --control')
    .option('-n, --namespace <name>', 'whose namespace, where the proof leaves that open')
    .option('--account <name>', 'whose service account, where the proof leaves that open')
    .option('--token <token>', 'who asks (WEFT_TOKEN)')
    .option('--token-file <file>', 'the same from a file, read each time: a service-account token of Kubernetes')
    .option('--node <name>', 'what it is called in `weft ca status`; absent: the host and the process')
    .option('--renew', 'stay, and renew at half of its life, until a signal comes')
}

async function execute(app: string[], options: CertificateOptions): Promise<number> {
  const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined
  const write = (line: string) => void process.stderr.write(line)
  const logger = createLogger({ format: 'text', colour, write, now: () => new Date() })
  try {
    const { CertificateAgent } = await import('../../control/client/certificate-agent.js')
    const { CertificateFiles } = await import('../../control/client/certificate-files.js')
    const authority = await authorityOf(options, (message) => logger.warn(message))
    const files = new CertificateFiles(options.out)
    const agent = new CertificateAgent({ authority, files, nowMs: Date.now, random: Math.random, say: logger })
    await agent.start()
    const [command, ...args] = app
    if (command !== undefined) return await beside(agent, [command, ...args])
    return options.renew === true ? await untilSignal(agent) : exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return createOutput('text').failure(error, options.out)
  }
}

async function authorityOf(options: CertificateOptions, say: (message: string) => void): Promise<Authority> {
  const {
    control,
    controlCa,
    socket,
    namespace = null,
    account = null,
    node = `${hostname()}-${process.pid}`,
  } = options
  if ((control === undefined) === (socket === undefined)) {
    throw new WeftError('WEFT_CLIENT_CONFIG', 'give either --control or --socket')
  }
  if (socket !== undefined) {
    const { SocketAuthority } = await import('../../control/client/socket-authority.js')
    return new SocketAuthority({ path: socket, namespace, account, say })
  }
  const { GrpcAuthority } = await import('../../control/client/grpc-authority.js')
  const ca = controlCa === undefined ? null : read(controlCa)
  const token = () => tokenOf(options)
  token()
  return new GrpcAuthority({ address: control ?? '', ca, token, namespace, account, node, say })
}

function tokenOf({ token, tokenFile }: CertificateOptions): string | null {
  if (token !== undefined) return token
  if (tokenFile !== undefined) return read(tokenFile).trim()
  return process.env.WEFT_TOKEN ?? null
}

/** The application's end is ours, and its exit code. */
async function beside(agent: CertificateAgent, app: [string, ...string[]]): Promise<number> {
  const { startApp } = await import('../../proxy/app-process.js')
  const started = await startApp(app)
  agent.keep()
  for (const signal of signals) process.on(signal, () => started.signal(signal))
  const code = await started.ended
  agent.stop()
  return code
}

const signals: NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP']

async function untilSignal(agent: CertificateAgent): Promise<number> {
  const told = new Promise<void>((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve())
  })
  agent.keep()
  await told
  agent.stop()
  return exitCodes.ok
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WeftError('WEFT_CLIENT_CONFIG', `cannot read ${file}`, { hint: (cause as Error).message, cause })
  }
}
