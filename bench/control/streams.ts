/**
 * The data planes of the distribution benchmark, in a process of their own: delta streams, each on a connection of its
 * own, that take everything, answer everything and say when what came. Times are of the machine's monotonic clock.
 */
import { create } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { typeUrls } from '../../src/control/compile/xds/resources.js'
import { discoveryService } from '../../src/control/xds/discovery-service.js'
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '../../src/control/xds/protos/envoy/service/discovery/v3/discovery_pb.js'

/** `asked`: a host that each stream asks for instead of holding all. */
const [, , port = '', streams = '', asked] = process.argv
const { path, requestSerialize, responseDeserialize } = discoveryService.deltaAggregatedResources

/** Told to the parent: a stream has taken a response. */
export interface Taken {
  stream: number
  type: string
  revision: number
  atNs: string
  bytes: number
}

function open(stream: number): void {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
  const say = (request: object) => call.write(create(DeltaDiscoveryRequestSchema, request))
  call.on('data', (response: DeltaDiscoveryResponse) => {
    const { typeUrl, nonce, resources, systemVersionInfo } = response
    const bytes = resources.reduce((sum, { resource }) => sum + (resource?.value.length ?? 0), 0)
    const taken: Taken = {
      stream,
      type: typeUrl,
      revision: Number(systemVersionInfo),
      atNs: String(process.hrtime.bigint()),
      bytes,
    }
    process.send?.(taken)
    say({ typeUrl, responseNonce: nonce })
    if (typeUrl === typeUrls.clusters)
      say({ typeUrl: typeUrls.endpoints, resourceNamesSubscribe: resources.map(({ name }) => name) })
    if (typeUrl === typeUrls.listeners) say({ typeUrl: typeUrls.routes, resourceNamesSubscribe: ['outbound'] })
    if (typeUrl === typeUrls.routes && asked !== undefined)
      say({ typeUrl: typeUrls.virtualHosts, resourceNamesSubscribe: [`outbound/${asked}`] })
  })
  call.on('error', (error) => {
    console.error(`stream ${stream}: ${error.message}`)
    process.exit(1)
  })
  const hosts = asked === undefined ? {} : { hosts: 'on-demand' }
  const metadata = { weft: { namespace: 'default', outbound: '127.0.0.1:15001', ...hosts } }
  say({ typeUrl: typeUrls.clusters, node: { id: `node-${stream}`, cluster: `service-${stream}`, metadata } })
  say({ typeUrl: typeUrls.listeners })
}

for (let stream = 0; stream < Number(streams); stream += 1) open(stream)
process.on('disconnect', () => process.exit(0))
