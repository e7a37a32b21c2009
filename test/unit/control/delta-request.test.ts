import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { readDeltaRequest } from '../../../src/control/xds/delta-request.js'
import { DeltaDiscoveryRequestSchema } from '../../../src/control/xds/protos/envoy/service/discovery/v3/discovery_pb.js'
import { Random } from '../../kit/random.js'

const all = create(DeltaDiscoveryRequestSchema, {
  node: { id: 'a', cluster: 'reviews', metadata: { weft: { namespace: 'shop' } } },
  typeUrl: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  resourceNamesSubscribe: ['shop/reviews/main', 'größe', '*', ''],
  resourceNamesUnsubscribe: ['shop/ratings/main'],
  initialResourceVersions: { 'shop/reviews/main': 'v1', '': 'v2', 日本: '' },
  responseNonce: '7',
  errorDetail: { code: 3, message: 'no' },
})
const bytes = Buffer.from(toBinary(DeltaDiscoveryRequestSchema, all))

describe('a delta request', () => {
  it.each([true, false])('is read as the generated message reads it, in ASCII: %s', (isPlain) => {
    const ascii = { resourceNamesSubscribe: ['shop/reviews/main', '*'], initialResourceVersions: { a: 'v1', b: '' } }
    const written = { ...all, ...(isPlain && ascii) }
    const read = readDeltaRequest(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, written)))
    const { node, typeUrl, responseNonce, errorDetail, resourceNamesSubscribe, resourceNamesUnsubscribe } = written
    const { initialResourceVersions, ...rest } = read
    expect(rest).toEqual({
      ...{ node, typeUrl, responseNonce, errorDetail, resourceNamesSubscribe, resourceNamesUnsubscribe },
    })
    expect(Object.fromEntries(initialResourceVersions)).toEqual(written.initialResourceVersions)
  })

  it('is refused or read, and nothing else, whatever its bytes are', () => {
    const random = new Random(7)
    let refused = 0
    for (let round = 0; round < 3_000; round += 1) {
      const broken = Buffer.from(bytes)
      for (let n = 0; n < 3; n += 1) broken[random.below(broken.length)] = random.below(256)
      const cut = broken.subarray(0, random.below(broken.length + 1))
      try {
        readDeltaRequest(cut)
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
        refused += 1
      }
    }
    expect(refused).toBeGreaterThan(500)
    expect(() => readDeltaRequest(bytes.subarray(0, -1))).toThrow()
  })
})
