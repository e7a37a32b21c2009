/**
 * The configuration of `weft control`: types, validation and defaults from one declaration. Paths are relative to the
 * file; the command's options stand above it.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { findingsOf } from '../../config/checks/findings.js'
import { formatPath } from '../../config/checks/path.js'
import { lineFinder, loadFile } from '../../config/files/load.js'
import { address } from '../../config/forms/address.js'
import { duration } from '../../config/forms/duration.js'
import { WeftError } from '../../errors.js'
import { roles } from '../access/roles.js'
import type { ServerCertificate } from '../server/start-server.js'
import { providerFields } from './extension-providers.js'

const tls = z.strictObject({
  certificate: z.string().meta({ description: 'PEM file: the chain, leaf first' }),
  key: z.string().meta({ description: 'PEM file' }),
  clientCa: z.string().nullable().default(null).meta({ description: 'PEM file: who signs operators’ certificates' }),
})

const etcd = z.strictObject({
  urls: z.array(z.url({ protocol: /^https?$/ })).min(1),
  prefix: z
    .string()
    .regex(/^\/[\w./-]*\/$/, { error: 'must start and end with /' })
    .default('/weft/'),
  ca: z.string().nullable().default(null).meta({ description: 'PEM file' }),
  certificate: z.string().nullable().default(null).meta({ description: 'PEM file' }),
  key: z.string().nullable().default(null).meta({ description: 'PEM file' }),
})

const operator = z.strictObject({
  identity: z.string().min(1).meta({ description: 'URI or DNS name of a client certificate, or its common name' }),
  role: z.enum(roles),
  namespaces: z.array(z.string()).min(1).default(['*']),
})

const name = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, { error: 'must be a lower-case name' })

const socketWorkload = z.strictObject({
  uid: z.int().min(0).meta({ description: 'User of the process, as the kernel says' }),
  executable: z.string().startsWith('/').nullable().default(null).meta({ description: 'Its file; absent: any' }),
  namespace: name.default('default'),
  account: name.meta({ description: 'Who it is: last part of the SPIFFE ID' }),
})

const authority = z
  .strictObject({
    certificate: z.string().nullable().default(null).meta({
      description: 'PEM file of an authority of your own: the one that signs first, its root last; absent: one is made',
    }),
    key: z.string().nullable().default(null).meta({ description: 'PEM file: the key of the first of them' }),
    passphraseFile: z.string().nullable().default(null).meta({ description: 'What key files are locked with' }),
    keyEncryption: z.string().nullable().default(null).meta({
      description: 'File with a secret that every replica has: keys are shared through the store, encrypted with it',
    }),
    leaf: duration({ minMs: 5_000 }).default(86_400_000).meta({ description: 'How long workload certificates last' }),
    clockSkew: duration()
      .default(120_000)
      .meta({ description: 'How much earlier than now certificates begin, for clocks that are late' }),
    settle: duration({ minMs: 100 })
      .default(60_000)
      .meta({ description: 'How long a step of a rotation lasts at least, for readers of files' }),
    kubernetes: z
      .strictObject({
        keys: z.string().meta({ description: 'File with the JSON Web Key Set of the cluster' }),
        issuer: z.string().min(1).meta({ description: 'The `iss` of its tokens' }),
        audience: z.string().min(1).default('weft').meta({ description: 'The `aud` that tokens must be for' }),
      })
      .nullable()
      .default(null)
      .meta({ description: 'Workloads prove who they are by service-account tokens' }),
    socket: z
      .strictObject({ path: z.string().min(1), workloads: z.array(socketWorkload).min(1) })
      .nullable()
      .default(null)
      .meta({ description: 'Unix socket at which processes of this machine are known by their user' }),
  })
  .refine(({ certificate, key }) => (certificate === null) === (key === null), {
    error: 'give both certificate and key, or neither',
  })

export type AuthorityConfig = z.output<typeof authority>
export const defaultAuthority = (): AuthorityConfig => authority.parse({})

const source = z
  .strictObject({
    service: z.string().min(1).max(63),
    namespace: z.string().min(1).max(63).default('default'),
    file: z.strictObject({ path: z.string().min(1).meta({ description: 'A watched list of workloads' }) }).optional(),
    dns: z
      .strictObject({
        name: z.string().min(1).max(253),
        port: z.int().min(1).max(65_535),
        refresh: duration({ minMs: 1_000 }).default(30_000),
      })
      .optional(),
  })
  .refine(({ file, dns }) => (file === undefined) !== (dns === undefined), { error: 'give either file or dns' })

export const controlConfig = z
  .strictObject({
    id: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .meta({ description: 'Unique among replicas; absent: host name and process' }),
    data: z.string().min(1).meta({ description: 'Folder of the store, the audit log and the first token' }),
    listen: address({ minPort: 0 }).default('127.0.0.1:7400').meta({ description: 'Where the API is served' }),
    advertise: z
      .url()
      .optional()
      .meta({ description: 'How other replicas’ clients reach this API; absent: as it listens' }),
    tls: tls.nullable().default(null).meta({ description: 'Needed for every address but loopback' }),
    etcd: etcd.nullable().default(null).meta({ description: 'Absent: the embedded store' }),
    operators: z.array(operator).default([]).meta({ description: 'Who may do what by client certificate' }),
    xds: z
      .strictObject({
        listen: address({ minPort: 0 }).default('127.0.0.1:7401').meta({ description: 'Where data planes connect' }),
      })
      .prefault({}),
    certificates: z.string().nullable().default(null).meta({
      description:
        'Folder of workload certificates: NAMESPACE/ACCOUNT.crt and .key, roots.pem, named/NAMESPACE/NAME.crt, .key, .ca.crt',
    }),
    authority: authority.nullable().default(null).meta({
      description: 'Issues workload certificates; absent: only where `weft ca init` has made one in the data folder',
    }),
    mesh: z
      .strictObject({
        trustDomain: z.string().min(1).default('cluster.local').meta({ description: 'Of SPIFFE IDs' }),
        clusterDomain: z
          .string()
          .min(1)
          .default('cluster.local')
          .meta({ description: 'Last part of long service names' }),
        rootNamespace: z.string().min(1).default('weft-system').meta({ description: 'Its policies hold everywhere' }),
        ...providerFields,
        keyRefresh: duration({ minMs: 1_000 })
          .default(300_000)
          .meta({ description: 'How often the keys of token issuers are fetched' }),
      })
      .prefault({}),
    sources: z.array(source).default([]).meta({ description: 'Services whose workloads do not register themselves' }),
    limits: z
      .strictObject({
        maxBodyBytes: z.int().min(1_024).max(15_000_000).default(4_194_304),
        requestsPerSecond: z.int().min(1).max(1_000_000).default(2_000).meta({ description: 'For each caller' }),
      })
      .prefault({}),
  })
  .meta({ title: 'Weft control plane' })

export type ControlConfig = z.output<typeof controlConfig>
export type WrittenControlConfig = z.input<typeof controlConfig>

/** The options of the command over what a file says. Throws `WEFT_CONFIG_*` with every issue. */
export async function loadControlConfig(file: string | null, options: object): Promise<ControlConfig> {
  const { text, value } = file === null ? { text: '', value: {} } : await loadFile(file)
  const written = typeof value === 'object' && value !== null ? { ...value, ...options } : value
  const parsed = controlConfig.safeParse(written)
  if (parsed.success) return file === null ? parsed.data : relativeTo(dirname(file), parsed.data)
  const lineOf = file === null ? () => null : await lineFinder(text)
  const issues = findingsOf(controlConfig, written, parsed.error.issues).map(({ path, ...rest }) => {
    return { path: formatPath(path), ...rest, line: lineOf(path) }
  })
  const name = file ?? 'the command line'
  throw new WeftError(
    'WEFT_CONFIG_INVALID',
    `${name} has ${issues.length === 1 ? '1 issue' : `${issues.length} issues`}`,
    {
      issues,
    },
  )
}

function relativeTo(folder: string, config: ControlConfig): ControlConfig {
  const from = <Path extends string | null>(path: Path) => (path === null ? null : resolve(folder, path)) as Path
  const { data, tls, etcd, sources, authority } = config
  return {
    ...config,
    data: from(data),
    certificates: from(config.certificates),
    authority: authority && {
      ...authority,
      certificate: from(authority.certificate),
      key: from(authority.key),
      passphraseFile: from(authority.passphraseFile),
      keyEncryption: from(authority.keyEncryption),
      kubernetes: authority.kubernetes && { ...authority.kubernetes, keys: from(authority.kubernetes.keys) },
      socket: authority.socket && { ...authority.socket, path: from(authority.socket.path) },
    },
    sources: sources.map((one) => (one.file === undefined ? one : { ...one, file: { path: from(one.file.path) } })),
    tls: tls && { certificate: from(tls.certificate), key: from(tls.key), clientCa: from(tls.clientCa) },
    etcd: etcd && { ...etcd, ca: from(etcd.ca), certificate: from(etcd.certificate), key: from(etcd.key) },
  }
}

/** Throws `WEFT_CONTROL_CERTIFICATE`. */
export async function readCertificate({ tls }: ControlConfig): Promise<ServerCertificate | null> {
  if (tls === null) return null
  const [certificate, key, clientCa] = await Promise.all([
    readPem(tls.certificate),
    readPem(tls.key),
    readPem(tls.clientCa),
  ])
  return { certificate, key, clientCa }
}

export async function readPem<Path extends string | null>(file: Path): Promise<Path> {
  if (file === null) return file
  try {
    return (await readFile(file, 'utf8')) as Path
  } catch (cause) {
    throw new WeftError('WEFT_CONTROL_CERTIFICATE', `cannot read ${file}`, { hint: (cause as Error).message, cause })
  }
}
