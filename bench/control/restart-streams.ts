/**
 * The data planes of the restart benchmark, in a process of their own: delta streams as Envoy opens them, each on a
 * connection of its own, that ask for everything, answer everything and come back after a random wait when the control
 * plane goes.
 *
 * They read no more of a response than its frame, its type and how many resources it holds, so that the core they run on
 * keeps up with the one that is measured; the first stream decodes all of it.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { typeUrls } from '../../src/control/compile/xds/resources.js'
import { discoveryService } from '../../src/control/xds/discovery-service.js'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../../src/control/xds/protos/envoy/service/discovery/v3/discovery_pb.js'
import { readEnvelope } from './envelope.js'

const [, , port = '', streams = '', jitterMs = ''] = process.argv
const { path } = discoveryService.deltaAggregatedResources
const windowBytes = 16 * 1024 * 1024

/** Told to the parent when a stream has all that it is to have. */
export interface Served {
  stream: number
  bytes: number
  resources: number
  resumed: boolean
}

/** Every stream has the same, so the first one keeps it for all. */
const versions = { clusters: {} as Record<string, string>, endpoints: {} as Record<string, string> }
let endpointNames: string[] = []

function frame(request: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): Buffer {
  const body = toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

class DataPlane {
  private readonly stream: number
  private had = false
  private bytes = 0
  private resources = 0
  private readonly missing = new Set<string>()

  constructor(stream: number) {
    this.stream = stream
  }

  /** As Envoy waits before it connects again: anything up to a bound. */
  come(): void {
    setTimeout(() => this.open(), Math.random() * Number(jitterMs))
  }

  private open(): void {
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } })
    session.on('error', () => {})
    session.once('connect', () => session.setLocalWindowSize(windowBytes))
    session.once('close', () => this.come())
    const call = session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    })
    call.on('error', () => {})
    this.bytes = 0
    this.resources = 0
    this.missing.clear()
    for (const type of ['clusters', 'endpoints', 'listeners', 'routes'] as const) this.missing.add(typeUrls[type])
    // What it kept has not changed, and nothing says so.
    if (this.had) for (const type of ['endpoints', 'routes'] as const) this.missing.delete(typeUrls[type])
    this.read(session, call)
    this.ask(call)
  }

  private ask(call: ClientHttp2Stream): void {
    const { stream } = this
    const node = {
      id: `node-${stream}`,
      cluster: `service-${stream}`,
      metadata: { weft: { namespace: 'default', outbound: '127.0.0.1:15001' } },
    }
    const kept = this.had ? versions.clusters : {}
    call.write(frame({ typeUrl: typeUrls.clusters, node, initialResourceVersions: kept }))
    if (this.had) this.askEndpoints(call)
    call.write(frame({ typeUrl: typeUrls.listeners }))
  }

  private askEndpoints(call: ClientHttp2Stream): void {
    const initialResourceVersions = this.had ? versions.endpoints : {}
    const resourceNamesSubscribe = shuffled(endpointNames)
    call.write(frame({ typeUrl: typeUrls.endpoints, resourceNamesSubscribe, initialResourceVersions }))
  }

  private read(session: ClientHttp2Session, call: ClientHttp2Stream): void {
    let waiting: Buffer[] = []
    let length = 0
    call.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
      waiting.push(chunk)
      length += chunk.length
      for (;;) {
        if (length < 5) return
        if ((waiting[0]?.length ?? 0) < 5) waiting = [Buffer.concat(waiting)]
        const size = 5 + (waiting[0]?.readUInt32BE(1) ?? 0)
        if (length < size) return
        const all = waiting.length === 1 ? (waiting[0] ?? chunk) : Buffer.concat(waiting)
        waiting = all.length === size ? [] : [all.subarray(size)]
        length -= size
        this.take(call, all.subarray(5, size))
      }
    })
    call.once('close', () => session.close())
  }

  private take(call: ClientHttp2Stream, body: Buffer): void {
    const { typeUrl, nonce, resources } = readEnvelope(body)
    if (this.stream === 0 && resources > 0) keepVersions(typeUrl, body)
    this.resources += resources
    call.write(frame({ typeUrl, responseNonce: nonce }))
    if (typeUrl === typeUrls.clusters && !this.had) {
      if (endpointNames.length === 0) endpointNames = namesOf(body)
      this.askEndpoints(call)
    }
    if (typeUrl === typeUrls.listeners && !this.had)
      call.write(frame({ typeUrl: typeUrls.routes, resourceNamesSubscribe: ['outbound'] }))
    if (!this.missing.delete(typeUrl) || this.missing.size > 0) return
    const served: Served = { stream: this.stream, bytes: this.bytes, resources: this.resources, resumed: this.had }
    this.had = true
    process.send?.(served)
  }
}

function namesOf(body: Buffer): string[] {
  return fromBinary(DeltaDiscoveryResponseSchema, body).resources.map(({ name }) => name)
}

function keepVersions(typeUrl: string, body: Buffer): void {
  const { resources } = fromBinary(DeltaDiscoveryResponseSchema, body)
  const kept = Object.fromEntries(resources.map(({ name, version }) => [name, version]))
  if (typeUrl === typeUrls.clusters) versions.clusters = kept
  if (typeUrl === typeUrls.endpoints) versions.endpoints = kept
}

/** Each Envoy names them in an order of its own. */
function shuffled(names: readonly string[]): string[] {
  const shift = Math.floor(Math.random() * names.length)
  return [...names.slice(shift), ...names.slice(0, shift)]
}

for (let stream = 0; stream < Number(streams); stream += 1) new DataPlane(stream).come()
process.on('disconnect', () => process.exit(0))
