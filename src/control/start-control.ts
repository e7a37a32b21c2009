/**
 * The control plane in one process: store → registry → mesh → distribution → API.
 *
 * Invariants: what serves others is opened last and closed first; nothing is served before the store has been read.
 */

import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { isLoopback } from '../config/forms/loopback.js'
import { WeftError } from '../errors.js'
import type { Logger } from '../telemetry/logger.js'
import type { Principal } from './access/roles.js'
import { Tokens, tokenKind } from './access/tokens.js'
import { AuditLog } from './audit.js'
import type { CertificateAuthority } from './ca/certificate-authority.js'
import { type CertificateSource, noCertificates } from './certificates/certificate-source.js'
import { fileCertificates } from './certificates/file-certificates.js'
import { type ControlConfig, readCertificate, readPem } from './config/control-config.js'
import { type DataPlanes, noDataPlanes } from './data-planes/data-planes.js'
import { shareDataPlanes } from './data-planes/shared.js'
import type { DistributionParts } from './distribution.js'
import { HealthChecker } from './registry/health-checker.js'
import { Registry } from './registry/registry.js'
import { followSources } from './registry/sources/follow-sources.js'
import type { Place } from './server/endpoint.js'
import { type ApiServer, type ServerCertificate, startServer } from './server/start-server.js'
import type { MeshSource } from './state/mesh-source.js'
import { createMeshSource } from './state/mesh-state.js'
import { ResourceChanges } from './state/resource-changes.js'
import type { ResourceKinds } from './state/resource-kinds.js'
import { lockFolder, makeFolder } from './store/data-folder.js'
import { openEmbeddedStore } from './store/embedded.js'
import { openEtcdStore } from './store/etcd.js'
import type { Store } from './store/store.js'

/** The side that brings the mesh to data planes. */
export interface Distribution {
  /** `ip:port`, with the port that it really has. */
  address: string
  dataPlanes: DataPlanes
  /** New connections get it from now on. */
  renewCertificate?(tls: ServerCertificate): void
  close(): Promise<void>
}

export interface ControlOptions {
  config: ControlConfig
  version: string
  kinds: ResourceKinds
  logger: Logger
  /** Wall clock. */
  nowMs?: () => number
  /** Absent: nothing is brought anywhere. */
  distribute?: (source: MeshSource, parts: DistributionParts) => Promise<Distribution>
}

export interface ControlPlane {
  url: string
  /** Where data planes connect; null where nothing is brought anywhere. */
  xdsAddress: string | null
  store: Store
  source: MeshSource
  /** Reads the certificate's files again. */
  renewCertificate(): Promise<void>
  close(): Promise<void>
}

const sweepMs = 1_000
const local: Principal = { name: 'control', role: 'admin', namespaces: ['*'], service: null }

export async function startControl(options: ControlOptions): Promise<ControlPlane> {
  const opened: Opened = []
  const close = async () => {
    for (const end of opened.splice(0).reverse()) await end()
  }
  try {
    return await open(options, opened, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function open(options: ControlOptions, opened: Opened, close: () => Promise<void>) {
  const { config, version, kinds, logger, nowMs = Date.now } = options
  const certificate = await readCertificate(config)
  let shown = certificate?.certificate ?? null
  if (config.etcd !== null) opened.push(await lockData(config))
  const store = await openStore(config, logger, nowMs)
  opened.push(() => store.close())
  for (const finding of store.status().findings) logger.error(finding)
  const tokens = new Tokens(store, nowMs)
  const audit = await AuditLog.open({ store, file: join(config.data, 'audit.log'), warn: (text) => logger.warn(text) })
  opened.push(() => audit.close())
  const registry = new Registry({ store, nowMs: () => performance.now(), say: (text) => logger.warn(text) })
  opened.push(() => registry.close())
  opened.push(sweepRegularly(registry, logger))
  const checker = new HealthChecker({ store, registry, random: Math.random })
  opened.push(() => checker.close())
  const say = (text: string) => logger.warn(text)
  opened.push(followSources({ store, registry, sources: config.sources, say }))
  const source = createMeshSource(store)
  opened.push(() => source.close())
  const { certificates, authority } = await openCertificates(options, { store, tokens, audit }, opened)
  const fault = (text: string) => logger.error(text)
  const distribution = (await options.distribute?.(source, { tokens, certificates, authority, fault, say })) ?? null
  if (distribution !== null) opened.push(() => distribution.close())
  const times = { startedAtMs: nowMs(), nowMs }
  const parts = {
    store,
    kinds,
    registry,
    tokens,
    audit,
    dataPlanes: shareWithReplicas(distribution?.dataPlanes ?? noDataPlanes, store, source, opened),
    authority,
  }
  const server: ApiServer = await startServer({
    ...{ listen: config.listen, tls: certificate, holders: config.operators, ...config.limits },
    context: {
      version,
      ...times,
      ...parts,
      trustDomain: config.mesh.trustDomain,
      ownChain: () => shown,
      place: placeOf(config, source, certificates ?? noCertificates),
      changes: new ResourceChanges(store, kinds, source),
    },
    fault,
  })
  opened.push(() => server.close())
  await makeFirstToken(config, store, tokens, logger)
  opened.push(sayStatus(store, logger))
  const renewCertificate = async () => {
    const renewed = await readCertificate(config)
    if (renewed === null) return
    shown = renewed.certificate
    server.renewCertificate(renewed)
    distribution?.renewCertificate?.(renewed)
  }
  const xdsAddress = distribution?.address ?? null
  return { url: server.url, xdsAddress, store, source, renewCertificate, close }
}

type Opened = (() => Promise<void> | void)[]

/** Where several replicas stand on one store, each knows the data planes of all. */
function shareWithReplicas(own: DataPlanes, { replicas }: Store, source: MeshSource, opened: Opened): DataPlanes {
  if (replicas === null) return own
  const shared = shareDataPlanes(own, replicas, (revision) => source.stateOf(revision))
  opened.push(() => shared.close())
  return shared
}

/** Certificates from files, and the authority that issues those of workloads where there is one. */
async function openCertificates(
  { config, logger, nowMs = Date.now }: ControlOptions,
  parts: { store: Store; tokens: Tokens; audit: AuditLog },
  opened: Opened,
): Promise<{ certificates: CertificateSource | null; authority: CertificateAuthority | null }> {
  const files = config.certificates === null ? null : fileCertificates(config.certificates)
  if (files !== null) opened.push(() => files.close())
  // Loaded only here: a mesh that issues no certificates needs no addon.
  const { hasAuthority, openAuthority } = await import('./ca/open-authority.js')
  if (!hasAuthority(config)) return { certificates: files, authority: null }
  const authority = await openAuthority({ config, logger, nowMs, files: files ?? noCertificates, ...parts })
  opened.push(() => authority.close())
  return { certificates: authority.authority, authority: authority.authority }
}

function placeOf(
  { data, operators, listen, xds }: ControlConfig,
  source: MeshSource,
  certificates: CertificateSource,
): Place {
  const open = !isLoopback(listen) || !isLoopback(xds.listen)
  return { data, source, certificates, operatorsByCertificate: operators.length > 0, open }
}

/** The audit log of each replica is its own; the embedded store locks its folder itself. */
async function lockData({ data }: ControlConfig): Promise<() => Promise<void>> {
  await makeFolder(data)
  const lock = await lockFolder(data)
  return () => lock.release()
}

async function openStore(config: ControlConfig, logger: Logger, nowMs: () => number): Promise<Store> {
  const { data, id, listen, advertise, tls, etcd } = config
  if (etcd === null) {
    return openEmbeddedStore({ folder: join(data, 'store'), nowMs, warn: (text) => logger.warn(text) })
  }
  const [ca, certificate, key] = [await readPem(etcd.ca), await readPem(etcd.certificate), await readPem(etcd.key)]
  const given = {
    ...(ca !== null && { ca }),
    ...(certificate !== null && { certificate }),
    ...(key !== null && { key }),
  }
  return openEtcdStore({
    ...{ urls: etcd.urls, prefix: etcd.prefix, ...given, nowMs, warn: (text: string) => logger.warn(text) },
    id: id ?? `${hostname()}-${process.pid}`,
    address: advertise ?? `${tls === null ? 'http' : 'https'}://${listen}`,
  })
}

/** Somebody must be able to begin: an admin's token in a file for the owner of the process alone. */
async function makeFirstToken({ data }: ControlConfig, store: Store, tokens: Tokens, logger: Logger): Promise<void> {
  if (!store.status().writable || store.list({ kind: tokenKind }).length > 0) return
  const request = { name: 'first', role: 'admin' as const, namespaces: ['*'], service: null, expiresAtMs: null }
  const { text } = await tokens.create(request, local)
  const file = join(data, 'admin.token')
  await writeFile(file, `${text}\n`, { mode: 0o600 })
  logger.info(`the first admin's token is in ${file}`)
}

function sweepRegularly(registry: Registry, logger: Logger): () => void {
  let running = false
  const timer = setInterval(() => {
    if (running) return
    running = true
    registry
      .sweep()
      // The store cannot be written for now: it has been said by the store's status.
      .catch((error) => {
        if (!(error instanceof WeftError)) logger.error(`eviction failed: ${error.stack}`)
      })
      .finally(() => {
        running = false
      })
  }, sweepMs)
  return () => clearInterval(timer)
}

/** Says whether changes are taken, each time that is another answer. */
function sayStatus(store: Store, logger: Logger): () => void {
  const answer = () => {
    const { writable, reason } = store.status()
    return writable ? 'changes are taken' : `changes are not taken here: ${reason}`
  }
  let said = answer()
  return store.onStatus(() => {
    const now = answer()
    if (now === said) return
    said = now
    if (store.status().writable) logger.info(now)
    else logger.warn(now)
  })
}
