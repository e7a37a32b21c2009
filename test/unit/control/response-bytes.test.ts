import { fromBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { deltaWire } from '../../../src/control/xds/delta.js'
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
} from '../../../src/control/xds/protos/envoy/service/discovery/v3/discovery_pb.js'
import { frameHead } from '../../../src/control/xds/response-bytes.js'
import type { Part } from '../../../src/control/xds/snapshot.js'
import { sotwWire } from '../../../src/control/xds/sotw.js'
import type { Response } from '../../../src/control/xds/stream.js'
import { snapshotOf } from '../../kit/xds-snapshot.js'

const [shared] = snapshotOf(1, { clusters: { a: '1', b: '2' } }).parts.clusters as [Part]
const [own] = snapshotOf(1, { clusters: { self: '3' } }).parts.clusters as [Part]
const [single] = [...(snapshotOf(1, { clusters: { c: '4' } }).parts.clusters[0]?.values() ?? [])]

function response(nonce: string, parts: Part[], revision = 7): Response {
  return {
    type: 'clusters',
    nonce,
    revision,
    parts,
    resources: single === undefined ? [] : [single],
    removed: [],
    absent: [],
  }
}

describe('a response that is put together of parts', () => {
  const written: Buffer[] = []
  const unframe = (framed: Buffer) => {
    expect([framed[0], framed.readUInt32BE(1)]).toEqual([0, framed.length - frameHead])
    written.push(framed.subarray(frameHead))
  }
  const delta = deltaWire(unframe)
  const sotw = sotwWire(unframe)

  it('says the same each time, with the nonce and the revision of its own', () => {
    const asked = [
      ...[response('1', [shared]), response('1', [shared]), response('1', [shared]), response('2', [shared])],
      ...[response('2', [shared, own]), response('2', [shared, own]), response('2', [shared, own], 8)],
      ...[response('2', [own]), response('1', [shared])],
    ]
    for (const one of asked) {
      const names = [...one.parts.flatMap((part) => [...part.keys()]), 'c']
      written.length = 0
      delta.write(one)
      sotw.write({ ...one, type: 'endpoints' })
      const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = written
      const { nonce, systemVersionInfo, resources, typeUrl } = fromBinary(DeltaDiscoveryResponseSchema, first)
      expect([nonce, systemVersionInfo]).toEqual([one.nonce, String(one.revision)])
      expect(resources.map(({ name }) => name)).toEqual(names)
      expect(typeUrl).toMatch(/Cluster$/)
      const whole = fromBinary(DiscoveryResponseSchema, second)
      expect([whole.nonce, whole.versionInfo]).toEqual([one.nonce, String(one.revision)])
      expect(whole.resources).toHaveLength(names.length)
    }
  })
})
