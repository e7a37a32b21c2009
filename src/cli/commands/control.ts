/** `weft control`: the control plane itself. */
import { type Command, Option } from 'commander'
import { WeftError } from '../../errors.js'
import { createLogger } from '../../telemetry/logger.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, type Format } from '../output.js'
import { weftVersion } from '../version.js'

interface ControlFlags {
  config?: string
  data?: string
  listen?: string
  id?: string
  advertise?: string
  xds?: string
  certificates?: string
  trustDomain?: string
  authority?: boolean
  caCert?: string
  caKey?: string
  caPassphraseFile?: string
  store?: 'embedded' | 'etcd'
  etcd?: string[]
  tlsCert?: string
  tlsKey?: string
  tlsClientCa?: string
  output: Format
}

export const control: CliCommand = {
  name: 'control',
  about: 'run the control plane: store, registry and API',
  declare(command, finish) {
    addFlags(addOutputOption(command)).action((flags: ControlFlags) => finish(execute(flags)))
  },
}

function addFlags(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration file; the options below stand above it')
    .option('--data <folder>', 'folder of the store, the audit log and the first token')
    .option('--listen <ip:port>', 'where the API is served (127.0.0.1:7400)')
    .option('--xds <ip:port>', 'where data planes connect (127.0.0.1:7401)')
    .option('--certificates <folder>', 'workload certificates, for mutual TLS')
    .option('--authority', 'issue workload certificates, with an authority of its own when none is given')
    .option('--ca-cert <file>', 'an authority of your own: who signs first, its root last; needs --ca-key')
    .option('--ca-key <file>', 'its key')
    .option('--ca-passphrase-file <file>', 'what key files are locked with')
    .option('--trust-domain <name>', 'of SPIFFE IDs (cluster.local)')
    .addOption(new Option('--store <kind>', 'where resources are kept').choices(['embedded', 'etcd']))
    .option('--etcd <url...>', 'nodes of etcd')
    .option('--id <name>', 'unique name of this replica')
    .option('--advertise <url>', 'how clients of other replicas reach this API')
    .option('--tls-cert <file>', 'PEM file: the chain, leaf first')
    .option('--tls-key <file>', 'PEM file')
    .option('--tls-client-ca <file>', 'PEM file: who signs operators’ certificates')
}

async function execute(flags: ControlFlags): Promise<number> {
  const { loadControlConfig } = await import('../../control/config/control-config.js')
  const { runControl } = await import('../../control/run-control.js')
  const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined
  const write = (line: string) => void process.stderr.write(line)
  const logger = createLogger({ format: flags.output, colour, write, now: () => new Date() })
  try {
    const config = await loadControlConfig(flags.config ?? null, written(flags))
    return await runControl({ config, version: weftVersion, logger })
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return createOutput(flags.output).failure(error, flags.config ?? 'the command line')
  }
}

/** The flags that were given, as they would stand in the file. */
function written(flags: ControlFlags): object {
  const { data, listen, id, advertise, certificates, xds, trustDomain } = flags
  const { authority, caCert, caKey, caPassphraseFile } = flags
  const { store, etcd, tlsCert, tlsKey, tlsClientCa } = flags
  const plain = Object.entries({ data, listen, id, advertise, certificates }).filter(([, value]) => value !== undefined)
  const tls = { certificate: tlsCert, key: tlsKey, clientCa: tlsClientCa ?? null }
  return {
    ...Object.fromEntries(plain),
    ...(xds !== undefined && { xds: { listen: xds } }),
    ...(trustDomain !== undefined && { mesh: { trustDomain } }),
    ...(authority || caCert !== undefined || caKey !== undefined || caPassphraseFile !== undefined
      ? { authority: { certificate: caCert ?? null, key: caKey ?? null, passphraseFile: caPassphraseFile ?? null } }
      : {}),
    ...(tlsCert !== undefined || tlsKey !== undefined ? { tls } : {}),
    ...(store === 'embedded' ? { etcd: null } : {}),
    ...(store === 'etcd' || etcd !== undefined ? { etcd: { urls: etcd ?? [] } } : {}),
  }
}
