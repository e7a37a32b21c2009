/**
 * `weft register`: puts an application that knows nothing of the mesh into the registry for as long as it lives.
 *
 * Invariants: it is registered once its port accepts; it is deregistered before a signal is passed on to it; its exit
 * code is ours.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ApiClient } from '../../control/client/api-client.js'
import { createLogger } from '../../telemetry/logger.js'
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { type SessionOptions, withSession } from '../session.js'

interface RegisterOptions extends Omit<SessionOptions, 'output'> {
  service: string
  port: number
  namespace: string
  address?: string
  id?: string
  version?: string
  region?: string
  zone?: string
  label?: string[]
  ttl?: string
  serviceAccount?: string
  checkHttp?: string
  checkTcp?: boolean
}

export const register: CliCommand = {
  name: 'register',
  about: 'register a service; after --, the application that is one, for as long as it lives',
  declare(command, finish) {
    addWorkloadOptions(command)
      .option('--server <url>', 'the control plane (WEFT_SERVER, or http://127.0.0.1:7400)')
      .option('--token <token>', 'who asks (WEFT_TOKEN)')
      .option('--ca <file>', 'PEM file of who signs the server’s certificate (WEFT_CA)')
      .argument('[app...]', 'application and its arguments; absent: until a signal comes')
      .action((app: string[], options: RegisterOptions) => {
        return finish(withSession({ ...options, output: 'table' }, ({ client }) => execute(client, app, options)))
      })
  },
}

function addWorkloadOptions(command: Command): Command {
  return command
    .requiredOption('--service <name>', 'name of the service')
    .addOption(new Option('--port <port>', 'the port that serves').argParser(portNumber).makeOptionMandatory())
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .option('--address <ip>', 'its address; absent: the one that the control plane sees')
    .option('--id <id>', 'unique within the service; absent: ADDRESS:PORT')
    .option('--version <version>', 'becomes the label version')
    .option('--region <region>', 'outer part of the locality')
    .option('--zone <zone>', 'inner part of the locality')
    .option('--label <name=value...>', 'labels')
    .option('--service-account <name>', 'last part of its SPIFFE ID')
    .option('--ttl <duration>', 'without a heartbeat for so long it is evicted (30s)')
    .option('--check-http <path>', 'the control plane looks at this path for itself')
    .option('--check-tcp', 'the control plane tries to connect for itself')
}

function portNumber(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new InvalidArgumentError('a port is a number from 1 to 65535.')
}

async function execute(client: ApiClient, app: string[], options: RegisterOptions): Promise<number> {
  const { Registrar } = await import('../../control/client/registrar.js')
  const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined
  const write = (line: string) => void process.stderr.write(line)
  const logger = createLogger({ format: 'text', colour, write, now: () => new Date() })
  const say = (message: string) => logger.info(`weft register: ${message}`)
  const registrar = new Registrar({ client, workload: workloadOf(options), random: Math.random, say })
  const signals: NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP']
  const told = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve(signal))
  })
  const [command, ...args] = app
  if (command === undefined) {
    await registrar.start()
    await told
    await registrar.stop()
    return exitCodes.ok
  }
  const { startApp } = await import('../../proxy/app-process.js')
  const { untilAccepts } = await import('../../control/client/until-accepts.js')
  const started = await startApp([command, ...args])
  const gone = new AbortController()
  void started.ended.then(() => gone.abort())
  const accepts = untilAccepts(options.address ?? '127.0.0.1', options.port, gone.signal)
  const begun = accepts.then(async (accepted) => {
    if (accepted) await registrar.start()
  })
  // Refused for good: an application that nobody can find is ended rather than left alone.
  const refused = begun.then(
    () => new Promise<never>(() => {}),
    (error: unknown) => error,
  )
  const first = await Promise.race([started.ended, told, refused])
  if (typeof first === 'number') {
    await begun.catch(() => {})
    await registrar.stop()
    return first
  }
  if (typeof first === 'string') {
    // Told again, it is passed on at once.
    for (const signal of signals) process.on(signal, () => started.signal(signal))
    await registrar.stop()
    started.signal(first as NodeJS.Signals)
    return started.ended
  }
  started.signal('SIGTERM')
  await started.ended
  throw first
}

/** The body of a registration; what was not given is left to the control plane. */
function workloadOf(options: RegisterOptions) {
  const { service, port, namespace, address, id, version, region, zone, label = [], ttl, serviceAccount } = options
  const { checkHttp, checkTcp } = options
  const check = checkHttp !== undefined ? { http: { path: checkHttp } } : checkTcp ? { tcp: {} } : undefined
  const labels = Object.fromEntries(label.map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]))
  const given = { address, id, version, region, zone, ttl, serviceAccount, check }
  const kept = Object.entries(given).filter(([, value]) => value !== undefined)
  return { service, namespace, port, labels, ...Object.fromEntries(kept) }
}
