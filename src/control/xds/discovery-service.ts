/** The methods of `envoy.service.discovery.v3.AggregatedDiscoveryService`, as grpc-js takes them. */
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { handleBidiStreamingCall, MethodDefinition } from '@grpc/grpc-js'
import { type DeltaRequest, readDeltaRequest } from './delta-request.js'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from './protos/envoy/service/discovery/v3/discovery_pb.js'
import { frameHead } from './response-bytes.js'

const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService'

export const discoveryService = {
  streamAggregatedResources: method(
    `${service}/StreamAggregatedResources`,
    DiscoveryRequestSchema,
    DiscoveryResponseSchema,
  ),
  deltaAggregatedResources: method(
    `${service}/DeltaAggregatedResources`,
    DeltaDiscoveryRequestSchema,
    DeltaDiscoveryResponseSchema,
  ),
}

/**
 * The same where it is served: responses come encoded and framed (`response-bytes.ts`), and long requests are read by what
 * reads them fastest.
 */
export const servedDiscovery = {
  streamAggregatedResources: served(discoveryService.streamAggregatedResources, (bytes) =>
    fromBinary(DiscoveryRequestSchema, bytes),
  ),
  deltaAggregatedResources: served(discoveryService.deltaAggregatedResources, readDeltaRequest),
}

export type DiscoveryHandlers = {
  streamAggregatedResources: handleBidiStreamingCall<DiscoveryRequest, Buffer>
  deltaAggregatedResources: handleBidiStreamingCall<DeltaRequest, Buffer>
}

function served<Request>(
  { path }: { path: string },
  requestDeserialize: (bytes: Buffer) => Request,
): MethodDefinition<Request, Buffer> {
  const both = { path, requestStream: true, responseStream: true } as const
  // The other direction is the client's.
  const requestSerialize = () => {
    throw new Error('requests are not written here')
  }
  return { ...both, requestSerialize, requestDeserialize, responseSerialize: unframed, responseDeserialize: unframed }
}

function unframed(bytes: Buffer): Buffer {
  return bytes.subarray(frameHead)
}

/**
 * Sends responses as they are framed. grpc-js frames each one in a buffer of its own; where its insides are not those of
 * the version that is known, it goes on doing so.
 */
export function sendFramed(call: object): void {
  const { call: inner } = call as { call?: { serializeMessage?: unknown } }
  if (typeof inner?.serializeMessage === 'function') inner.serializeMessage = (framed: Buffer) => framed
}

function method<Request extends DescMessage, Response extends DescMessage>(
  path: string,
  request: Request,
  response: Response,
): MethodDefinition<MessageShape<Request>, MessageShape<Response>> {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (message) => Buffer.from(toBinary(request, message)),
    requestDeserialize: (bytes) => fromBinary(request, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(response, message)),
    responseDeserialize: (bytes) => fromBinary(response, bytes),
  }
}
