/** State of the world: a request names all that its client wants, a response of listeners and clusters holds them all. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { type ResourceType, typeUrls } from '../compile/xds/resources.js'
import { type DiscoveryRequest, DiscoveryResponseSchema } from './protos/envoy/service/discovery/v3/discovery_pb.js'
import { ResponseBytes } from './response-bytes.js'
import type { Subscription, Wire, XdsStream } from './stream.js'
import { writeTexts } from './write-texts.js'

const whole: ReadonlySet<ResourceType> = new Set(['listeners', 'clusters'])

const responses = new ResponseBytes(({ type, bytes: value }) =>
  encode({ resources: [create(AnySchema, { typeUrl: typeUrls[type], value })] }),
)

/** Numbers of the fields of `DiscoveryResponse` that are texts. */
const fields = { versionInfo: 1, typeUrl: 4, nonce: 5 } as const

export function sotwWire(write: (response: Buffer) => void): Wire {
  return {
    asksForHosts: false,
    isWhole: (type) => whole.has(type),
    tellsRemoval: (type) => whole.has(type),
    write({ type, nonce, revision, parts, resources }) {
      const head = writeTexts([
        [fields.versionInfo, String(revision)],
        [fields.typeUrl, typeUrls[type]],
        [fields.nonce, nonce],
      ])
      write(responses.join(head, parts, resources))
    },
  }
}

function encode(response: MessageInitShape<typeof DiscoveryResponseSchema>): Uint8Array {
  return toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, response))
}

/**
 * A request with a nonce that is not the last is about a state that is gone: null. Without names, a stream's first
 * request for listeners or clusters means all of them, and so does a later one if the stream never named any.
 */
export function sotwSubscription(
  request: DiscoveryRequest,
  type: ResourceType,
  stream: XdsStream,
): Subscription | null {
  const state = stream.states[type]
  const { responseNonce: nonce, resourceNames, errorDetail } = request
  if (nonce !== '' && nonce !== state.lastNonce) {
    stream.staleAnswers += 1
    return null
  }
  const names = new Set(resourceNames.filter((name) => name !== '*'))
  const everything =
    resourceNames.includes('*') || (whole.has(type) && names.size === 0 && (state.wildcard || !state.asked))
  return {
    type,
    nonce,
    error: errorDetail === undefined ? null : errorDetail.message,
    subscribe: [...names].filter((name) => !state.names.has(name)),
    unsubscribe: [
      ...[...state.names.keys()].filter((name) => !names.has(name)),
      ...(state.wildcard && !everything ? ['*'] : []),
    ],
    wildcard: everything,
    initial: new Map(),
  }
}
