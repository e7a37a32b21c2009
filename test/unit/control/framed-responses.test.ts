import { BaseServerInterceptingCall } from '@grpc/grpc-js/build/src/server-interceptors.js'
import { expect, it } from 'vitest'
import { sendFramed, servedDiscovery } from '../../../src/control/xds/discovery-service.js'

const framed = Buffer.from([0, 0, 0, 0, 2, 7, 8])

it('are what this version of grpc-js sends, without a copy', () => {
  expect(BaseServerInterceptingCall.prototype).toHaveProperty('serializeMessage', expect.any(Function))
  const inner = { serializeMessage: () => Buffer.alloc(0) as Buffer }
  sendFramed({ call: inner })
  const send = inner.serializeMessage as (bytes: Buffer) => Buffer
  expect(send(framed)).toBe(framed)
})

it('are framed by grpc-js where its insides are others', () => {
  for (const call of [{}, { call: {} }, { call: undefined }]) expect(() => sendFramed(call)).not.toThrow()
  expect(servedDiscovery.deltaAggregatedResources.responseSerialize(framed)).toEqual(Buffer.from([7, 8]))
})
