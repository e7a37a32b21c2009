/** Delta: a request changes what its client wants, a response holds what changed and names what is gone. */
import { create } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { type ResourceType, typeUrls } from '../compile/xds/resources.js'
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from './protos/envoy/service/discovery/v3/discovery_pb.js'
import type { Subscription, Wire, XdsStream } from './stream.js'

export function deltaWire(write: (response: DeltaDiscoveryResponse) => void): Wire {
  return {
    asksForHosts: true,
    isWhole: () => false,
    tellsRemoval: () => true,
    write: ({ type, nonce, revision, resources, removed, absent }) =>
      write(
        create(DeltaDiscoveryResponseSchema, {
          systemVersionInfo: String(revision),
          typeUrl: typeUrls[type],
          nonce,
          // A host that is not there is answered with a resource without content: the request that waits for it goes on.
          removedResources: type === 'virtualHosts' ? removed : [...removed, ...absent],
          resources: [
            ...resources.map(({ name, version, bytes: value }) => ({
              name,
              version,
              resource: create(AnySchema, { typeUrl: typeUrls[type], value }),
            })),
            ...(type === 'virtualHosts' ? absent.map((name) => ({ name, aliases: [name] })) : []),
          ],
        }),
      ),
  }
}

/** The first request of a type that names nothing means all listeners or clusters, on a stream that came back too. */
export function deltaSubscription(request: DeltaDiscoveryRequest, type: ResourceType, stream: XdsStream): Subscription {
  const state = stream.states[type]
  const { resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe } = request
  const legacy = !state.asked && subscribe.length === 0 && (type === 'listeners' || type === 'clusters')
  return {
    type,
    nonce: request.responseNonce,
    error: request.errorDetail === undefined ? null : request.errorDetail.message,
    subscribe: subscribe.filter((name) => name !== '*'),
    unsubscribe,
    wildcard: legacy || subscribe.includes('*'),
    initial: request.initialResourceVersions,
  }
}
