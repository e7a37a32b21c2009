/** Delta: a request changes what its client wants, a response holds what changed and names what is gone. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { type ResourceType, typeUrls } from '../compile/xds/resources.js'
import type { DeltaRequest } from './delta-request.js'
import { DeltaDiscoveryResponseSchema } from './protos/envoy/service/discovery/v3/discovery_pb.js'
import { ResponseBytes } from './response-bytes.js'
import type { Subscription, Wire, XdsStream } from './stream.js'
import { writeTexts } from './write-texts.js'

const responses = new ResponseBytes(({ name, version, type, bytes: value }) => {
  const resource = create(AnySchema, { typeUrl: typeUrls[type], value })
  return encode({ resources: [{ name, version, resource }] })
})

/** Numbers of the fields of `DeltaDiscoveryResponse` that are texts. */
const fields = { systemVersionInfo: 1, typeUrl: 4, nonce: 5, removedResources: 6 } as const

export function deltaWire(write: (response: Buffer) => void): Wire {
  return {
    asksForHosts: true,
    isWhole: () => false,
    tellsRemoval: () => true,
    write({ type, nonce, revision, parts, resources, removed, absent }) {
      const base = [
        ...([
          [fields.systemVersionInfo, String(revision)],
          [fields.typeUrl, typeUrls[type]],
          [fields.nonce, nonce],
        ] as const),
        ...removed.map((name) => [fields.removedResources, name] as const),
      ]
      if (type !== 'virtualHosts') {
        const gone = absent.map((name) => [fields.removedResources, name] as const)
        return write(responses.join(writeTexts([...base, ...gone]), parts, resources))
      }
      // A host that is not there is answered with a resource without content: the request that waits for it goes on.
      const empty = encode({ resources: absent.map((name) => ({ name, aliases: [name] })) })
      write(responses.join(Buffer.concat([writeTexts(base), empty]), parts, resources))
    },
  }
}

function encode(response: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): Uint8Array {
  return toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, response))
}

/** The first request of a type that names nothing means all listeners or clusters, on a stream that came back too. */
export function deltaSubscription(request: DeltaRequest, type: ResourceType, stream: XdsStream): Subscription {
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
