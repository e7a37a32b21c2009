/** `weft bootstrap`: what an Envoy or a proxyless gRPC client needs to know to join the mesh, printed. */
import type { Command } from 'commander'
import type { DataPlane } from '../../control/bootstrap/data-plane.js'
import { WeftError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { createOutput, exitCodes } from '../output.js'

interface BootstrapOptions {
  node: string
  service: string
  control: string
  namespace: string
  account: string
  label: Record<string, string>
  region: string
  zone: string
  controlCa?: string
  controlCert?: string
  controlKey?: string
  gateway?: boolean
  outbound?: string
  inbound?: string
  app?: string
  admin?: string
  sotw?: boolean
  onDemandHosts?: boolean
  zoneAware?: boolean
  cert?: string
  key?: string
  roots?: string
  certificates?: string
}

export const bootstrap: CliCommand = {
  name: 'bootstrap',
  about: 'print the bootstrap of a data plane: envoy or grpc',
  declare(command, finish) {
    addNodeOptions(command.command('envoy').description('an Envoy beside an application, or as a gateway'))
      .option('--gateway', "serve the Gateway that carries the service's name, and those that select its labels")
      .option('--outbound <address>', 'where the application reaches other services (default: 127.0.0.1:15001)')
      .option('--inbound <address>', 'where others reach this application; needs --app')
      .option('--app <address>', 'where the application listens')
      .option('--admin <address>', "Envoy's own admin interface")
      .option('--sotw', 'state of the world instead of delta')
      .option(
        '--on-demand-hosts',
        'hold only the hosts that the application uses; each is asked for at its first request',
      )
      .option('--zone-aware', 'know the zones of its own service, as zoneAwareLbSetting needs; with --zone')
      .action((options: BootstrapOptions) => finish(execute(options, envoy)))
    addNodeOptions(command.command('grpc').description('a gRPC client without a proxy'))
      .option('--cert <file>', "the workload's certificate; needs --key and --roots")
      .option('--key <file>', 'its key')
      .option('--roots <file>', 'the roots that it trusts')
      .option('--certificates <folder>', 'all three as `weft certificate --out` keeps them')
      .action((options: BootstrapOptions) => finish(execute(options, grpc)))
  },
}

function addNodeOptions(command: Command): Command {
  return command
    .requiredOption('--node <id>', 'unique name of the data plane')
    .requiredOption('--service <name>', 'the service that it stands beside')
    .requiredOption('--control <address>', 'host:port of the control plane')
    .option('--namespace <name>', 'namespace of the service', 'default')
    .option('--account <name>', "service account; the service's name where it is not given", '')
    .option('--label <key=value>', 'a label that selectors see; may be repeated', label, {})
    .option('--region <name>', 'where it runs', '')
    .option('--zone <name>', 'where in the region', '')
    .option(
      '--control-ca <file>',
      'roots that the control plane is checked against; without it the connection is plain',
    )
    .option('--control-cert <file>', 'certificate to show to the control plane; needs --control-key')
    .option('--control-key <file>', 'its key')
}

type Build = (plane: DataPlane, options: BootstrapOptions) => Promise<object>

async function execute(options: BootstrapOptions, build: Build): Promise<number> {
  const print = createOutput('text')
  try {
    const bootstrapped = await build(await dataPlane(options), options)
    print.result(JSON.stringify(bootstrapped, null, 2), bootstrapped)
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, 'bootstrap')
  }
}

async function dataPlane(options: BootstrapOptions): Promise<DataPlane> {
  const { node, service, namespace, account, label: labels, region, zone, control } = options
  await checkAddress('--control', control)
  together(options.controlCert, options.controlKey, '--control-cert and --control-key')
  const { controlCa: ca, controlCert: certificate = null, controlKey: key = null } = options
  if (ca === undefined && certificate !== null) throw invalid('--control-cert needs --control-ca')
  return {
    node,
    service,
    namespace,
    account,
    labels,
    region,
    zone,
    control,
    controlTls: ca === undefined ? null : { ca, certificate, key },
  }
}

async function envoy(plane: DataPlane, options: BootstrapOptions): Promise<object> {
  const { envoyBootstrap } = await import('../../control/bootstrap/envoy.js')
  const { gateway = false, inbound = null, app = null, admin = null, sotw = false } = options
  const { onDemandHosts = false, zoneAware = false } = options
  together(options.inbound, options.app, '--inbound and --app')
  if (gateway && (options.outbound !== undefined || inbound !== null))
    throw invalid('a gateway has no --outbound and no --inbound')
  if (onDemandHosts && (gateway || sotw)) throw invalid('--on-demand-hosts is for a sidecar that speaks delta')
  if (zoneAware && plane.zone === '') throw invalid('--zone-aware needs --zone')
  const outbound = gateway ? null : (options.outbound ?? '127.0.0.1:15001')
  for (const [name, address] of Object.entries({ outbound, inbound, app, admin })) {
    if (address !== null) await checkAddress(`--${name}`, address)
  }
  return envoyBootstrap({
    ...plane,
    role: gateway ? 'gateway' : 'sidecar',
    outbound,
    inbound,
    app,
    admin,
    stateOfTheWorld: sotw,
    onDemandHosts,
    zoneAware,
  })
}

async function grpc(plane: DataPlane, options: BootstrapOptions): Promise<object> {
  const { certificates: folder } = options
  if (folder !== undefined && options.cert !== undefined) throw invalid('give either --certificates or --cert')
  const { cert, key, roots } =
    folder === undefined
      ? options
      : { cert: `${folder}/cert.pem`, key: `${folder}/key.pem`, roots: `${folder}/roots.pem` }
  const { grpcBootstrap } = await import('../../control/bootstrap/grpc.js')
  together(cert, key, '--cert and --key')
  together(cert, roots, '--cert and --roots')
  const identity =
    cert === undefined || key === undefined || roots === undefined ? null : { certificate: cert, key, roots }
  return grpcBootstrap({ ...plane, identity })
}

function label(text: string, labels: Record<string, string>): Record<string, string> {
  const [key = '', ...value] = text.split('=')
  return { ...labels, [key]: value.join('=') }
}

async function checkAddress(option: string, address: string): Promise<void> {
  const { splitAddress } = await import('../../control/bootstrap/data-plane.js')
  if (splitAddress(address) === null) throw invalid(`${option}: ${JSON.stringify(address)} is not host:port`)
}

function together(one: string | undefined, other: string | undefined, names: string): void {
  if ((one === undefined) !== (other === undefined)) throw invalid(`${names} need each other`)
}

function invalid(message: string): WeftError {
  return new WeftError('WEFT_BOOTSTRAP_INVALID', message, { hint: 'weft bootstrap --help lists the options' })
}
