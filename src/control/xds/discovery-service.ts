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

/** The same where it is served: responses come encoded, and long requests are read by what reads them fastest. */
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
  return { ...both, requestSerialize, requestDeserialize, responseSerialize: same, responseDeserialize: same }
}

function same(bytes: Buffer): Buffer {
  return bytes
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
