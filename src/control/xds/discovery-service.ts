/** The methods of `envoy.service.discovery.v3.AggregatedDiscoveryService`, as grpc-js takes them. */
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { handleBidiStreamingCall, MethodDefinition } from '@grpc/grpc-js'
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
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

export type DiscoveryHandlers = {
  streamAggregatedResources: handleBidiStreamingCall<DiscoveryRequest, DiscoveryResponse>
  deltaAggregatedResources: handleBidiStreamingCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse>
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
