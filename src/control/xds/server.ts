/**
 * The xDS server: aggregated discovery over gRPC, state of the world and delta. It compiles the mesh after a change has
 * come to rest and tells each data plane its own view of it.
 */
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js'
import { isLoopback } from '../../config/forms/loopback.js'
import { WeftError } from '../../errors.js'
import type { CertificateSource } from '../certificates/certificate-source.js'
import { noCertificates } from '../certificates/certificate-source.js'
import { type Effect, effectsOn } from '../compile/effects.js'
import { defaultMeshOptions, indexMesh, type MeshOptions } from '../compile/mesh/mesh.js'
import type { MeshNode } from '../compile/mesh/node.js'
import { type ResourceType, typeUrls } from '../compile/xds/resources.js'
import type { MeshSource } from '../state/mesh-source.js'
import { debounce } from './debounce.js'
import { deltaSubscription, deltaWire } from './delta.js'
import { type DiscoveryHandlers, sendFramed, servedDiscovery } from './discovery-service.js'
import { nodeOf } from './node-of.js'
import { type Plane, Planes } from './planes.js'
import type { Node } from './protos/envoy/config/core/v3/base_pb.js'
import { sotwSubscription, sotwWire } from './sotw.js'
import type { Subscription, Wire, XdsStream } from './stream.js'
import type { Verdict } from './verdicts.js'

export interface XdsServerOptions {
  source: MeshSource
  /** `ip:port`; port 0 takes a free one. */
  address: string
  /** Absent: plain gRPC, which is taken on loopback only. */
  credentials?: ServerCredentials
  certificates?: CertificateSource
  mesh?: Partial<MeshOptions>
  /** A reason why this caller may not be this data plane, or null. Its token is in the metadata, its certificate in `peer`. */
  admit?: (node: MeshNode, metadata: Metadata, peer: AuthContext) => string | null
  /** Calls back when some may not be any more what they were; the returned function ends it. */
  onAccess?: (look: () => void) => () => void
  /** Served on the same port. */
  services?: readonly Service[]
  quietMs?: number
  maxMs?: number
}

export interface Service {
  definition: ServiceDefinition
  handlers: UntypedServiceImplementation
}

export interface PlaneStatus {
  /** The same for as long as it is connected. */
  plane: Plane
  node: MeshNode
  connectedForMs: number
  /** The revision that it has answered for, 0 while it has not; and the newest that it was sent. */
  revision: number
  sentRevision: number
  lastRefusal: string | null
  staleAnswers: number
}

export interface XdsServer {
  port: number
  planes(): PlaneStatus[]
  verdicts(revision: number): Verdict[]
  /** Which resources reach each of these, connected here or not, in the mesh as it was told last. */
  effects(nodes: readonly MeshNode[]): { node: MeshNode; effects: readonly Effect[] }[]
  /** Waits until every connected data plane has answered for the revision, at most so long. */
  settled(revision: number, timeoutMs: number): Promise<Verdict[]>
  /** Who follows the trusted roots, and whether each has taken the present ones. */
  rootsFollowers(): { node: string; taken: boolean }[]
  /** Calls back with those that came, went, were told something or have answered; the returned function ends it. */
  onChange(listener: (changed: ReadonlySet<Plane>) => void): () => void
  close(): Promise<void>
}

/** Requests are names; a data plane of a large mesh names some thousands. */
const maxRequestBytes = 4 * 1024 * 1024

const typesByUrl = new Map(Object.entries(typeUrls).map(([type, url]) => [url, type as ResourceType]))

export async function startXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  const { source, certificates = noCertificates, address } = options
  if (options.credentials === undefined && !isLoopback(address))
    throw new WeftError('WEFT_XDS_ADDRESS', `the xDS server would speak plain gRPC on ${address}`, {
      hint: 'give it a certificate, or listen on 127.0.0.1',
    })
  const meshOptions = { ...defaultMeshOptions, ...options.mesh }
  let mesh = indexMesh(source.current(), null, meshOptions)
  const planes = new Planes(mesh, certificates, () => performance.now())
  const settle = debounce(
    () => {
      mesh = indexMesh(source.current(), mesh, meshOptions)
      void planes.tell(mesh)
    },
    {
      quietMs: options.quietMs ?? 100,
      maxMs: options.maxMs ?? 10_000,
      now: () => performance.now(),
      setTimer: (run, ms) => setTimeout(run, ms),
      clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
    },
  )
  const endings = [
    source.onChange(() => settle.ask()),
    certificates.onChange(() => void planes.tell({ ...mesh })),
    () => settle.cancel(),
  ]
  const server = new Server({
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  })
  const door: Door = { admit: options.admit ?? (() => null), open: new Set() }
  endings.push(guard(door, options.onAccess))
  server.addService(servedDiscovery, handlers(planes, door))
  for (const { definition, handlers } of options.services ?? []) server.addService(definition, handlers)
  const port = await bind(server, address, options.credentials ?? ServerCredentials.createInsecure())
  return {
    port,
    planes: () => {
      const nowMs = performance.now()
      return [...planes.all].map((plane) => status(plane, nowMs))
    },
    verdicts: (revision) => planes.verdicts(source.stateOf(revision)),
    effects: (nodes) => {
      const identities = certificates.roots() !== null
      return nodes.map((node) => ({ node, effects: effectsOn(mesh, node, identities) }))
    },
    settled: (revision, timeoutMs) => planes.settled(source.stateOf(revision), AbortSignal.timeout(timeoutMs)),
    rootsFollowers: () => planes.rootsFollowers(),
    onChange: (listener) => planes.onChange(listener),
    close: async () => {
      for (const end of endings) end()
      server.forceShutdown()
    },
  }
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, port) => {
      if (cause === null) return resolve(port)
      reject(
        new WeftError('WEFT_XDS_ADDRESS', `the xDS server cannot listen on ${address}: ${cause.message}`, { cause }),
      )
    })
  })
}

function status(plane: Plane, nowMs: number): PlaneStatus {
  const { node, connectedAtMs, stream, lastRefusal } = plane
  const revision = stream.answeredRevision
  const sentRevision = stream.snapshot?.revision ?? 0
  const connectedForMs = nowMs - connectedAtMs
  return { plane, node, connectedForMs, revision, sentRevision, lastRefusal, staleAnswers: stream.staleAnswers }
}

/** Who is let in, and the streams that were: each looks anew whether it still may be what it is. */
interface Door {
  admit: NonNullable<XdsServerOptions['admit']>
  open: Set<() => void>
}

/** Tokens expire without a word. */
const lookAgainMs = 10_000

function guard({ open }: Door, onAccess: XdsServerOptions['onAccess']): () => void {
  const look = () => {
    for (const one of [...open]) one()
  }
  const timer = setInterval(look, lookAgainMs)
  timer.unref()
  const end = onAccess?.(look)
  return () => {
    clearInterval(timer)
    end?.()
  }
}

function handlers(planes: Planes, door: Door): DiscoveryHandlers {
  return {
    streamAggregatedResources: (call) =>
      serve(
        call,
        planes,
        door,
        sotwWire((response) => call.write(response)),
        sotwSubscription,
      ),
    deltaAggregatedResources: (call) =>
      serve(
        call,
        planes,
        door,
        deltaWire((response) => call.write(response)),
        deltaSubscription,
      ),
  }
}

interface AnyRequest {
  node?: Node | undefined
  typeUrl: string
}

/** One stream from its first request to its end. A type that is not served here is not answered. */
function serve<Request extends AnyRequest, Response>(
  call: ServerDuplexStream<Request, Response>,
  planes: Planes,
  door: Door,
  wire: Wire,
  subscriptionOf: (request: Request, type: ResourceType, stream: XdsStream) => Subscription | null,
): void {
  let plane: Plane | null = null
  let over = false
  sendFramed(call)
  const end = () => {
    over = true
    door.open.delete(look)
    if (plane !== null) planes.disconnect(plane)
    plane = null
  }
  let look = () => {}
  const refuse = (code: number, details: string) => {
    end()
    // How grpc-js ends a stream with a status; destroying it would send none.
    call.emit('error', Object.assign(new Error(details), { code, details }))
  }
  const take = ({ stream }: Plane, request: Request) => {
    const type = typesByUrl.get(request.typeUrl)
    const subscription = type === undefined ? null : subscriptionOf(request, type, stream)
    if (subscription !== null) stream.request(subscription)
  }
  const begin = (node: MeshNode, request: Request) => {
    if (over) return
    const begun = planes.connect(
      node,
      pausing(wire, call, () => plane?.stream),
    )
    plane = begun
    take(begun, request)
  }
  call.on('data', (request: Request) => {
    if (plane !== null) return take(plane, request)
    if (request.node === undefined || request.node.id === '')
      return refuse(3, 'the first request of a stream must say which node it is: give the bootstrap a node id')
    const said = nodeOf(request.node)
    const node: MeshNode = wire.asksForHosts ? said : { ...said, hosts: 'all' }
    const peer = call.getAuthContext()
    look = () => {
      const reason = door.admit(node, call.metadata, peer)
      if (reason !== null) refuse(7, reason)
    }
    door.open.add(look)
    look()
    if (over) return
    const coming = planes.prepare(node)
    if (coming === null) return begin(node, request)
    call.pause()
    void coming.then(() => {
      begin(node, request)
      call.resume()
    })
  })
  call.on('drain', () => plane?.stream.setWritable(true))
  call.on('end', () => {
    end()
    call.end()
  })
  for (const event of ['error', 'close', 'cancelled']) call.on(event, end)
}

/** A client that does not read fills its own buffer and no other. */
function pausing(wire: Wire, call: { writableNeedDrain: boolean }, stream: () => XdsStream | undefined): Wire {
  return {
    ...wire,
    write(response) {
      wire.write(response)
      if (call.writableNeedDrain) stream()?.setWritable(false)
    },
  }
}
