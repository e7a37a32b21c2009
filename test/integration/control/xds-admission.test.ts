/** Data planes at the door of a whole control plane over TLS: who is let in, by certificate and by token. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { create } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { typeUrls } from '../../../src/control/compile/xds/resources.js'
import { controlConfig } from '../../../src/control/control-config.js'
import { startDistribution } from '../../../src/control/distribution.js'
import { discoveryService } from '../../../src/control/xds/discovery-service.js'
import { metadataKey } from '../../../src/control/xds/node-of.js'
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '../../../src/control/xds/protos/envoy/service/discovery/v3/discovery_pb.js'
import { makeAuthority } from '../../kit/certificates.js'
import { startTestControl, type TestControl } from '../../kit/control.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

let running: TestControl | null = null
afterEach(async () => {
  await running?.close()
  running = null
  removeScratch()
})

const { path, requestSerialize, responseDeserialize } = discoveryService.deltaAggregatedResources

describe('a data plane at the door', () => {
  it('is let in as who its certificate or token says it is, and as nobody else', async () => {
    const authority = makeAuthority()
    const tls = { ...authority.issue('control', 'IP:127.0.0.1'), clientCa: authority.ca }
    const data = scratchFolder()
    const mesh = { trustDomain: 'shop.example' }
    const config = controlConfig.parse({ data, tls, mesh, xds: { listen: '127.0.0.1:0' } })
    // The API beside it is plain, so that the kit's clients need no authority.
    running = await startTestControl(
      { data },
      { distribute: (source, parts) => startDistribution(config, source, parts) },
    )
    const { control, admin } = running
    const root = readFileSync(authority.ca)
    /** `welcome`, or why not. */
    const knock = async (namespace: string, service: string, proof: { certificate?: string; token?: string }) => {
      const pair = proof.certificate === undefined ? null : authority.issue('x', `URI:${proof.certificate}`)
      const [key, chain] = pair === null ? [null, null] : [readFileSync(pair.key), readFileSync(pair.certificate)]
      const client = new Client(control.xdsAddress ?? '', credentials.createSsl(root, key, chain))
      const metadata = new Metadata()
      if (proof.token !== undefined) metadata.set('authorization', `Bearer ${proof.token}`)
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata)
      const answered = once(call, 'data').then(([response]: DeltaDiscoveryResponse[]) => response && 'welcome')
      const node = { id: 'n1', cluster: service, metadata: { [metadataKey]: { namespace } } }
      call.write(create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrls.clusters, node }))
      const said = await answered.catch((error: ServiceError) => error.details)
      call.on('error', () => {})
      call.cancel()
      client.close()
      return said
    }
    const own = 'spiffe://shop.example/ns/shop/sa/cart'
    expect(await knock('shop', 'cart', { certificate: own })).toBe('welcome')
    expect(await knock('shop', 'bank', { certificate: own })).toBe(
      'its certificate is not of spiffe://shop.example/ns/shop/sa/bank',
    )
    const token = async (body: object) => (await admin.ask<{ text: string }>('POST', '/v1/tokens', body)).text
    const carts = await token({ name: 'carts', role: 'workload', namespaces: ['shop'], service: 'cart' })
    const anybody = 'spiffe://shop.example/ns/shop/sa/anybody'
    expect(await knock('shop', 'cart', { certificate: anybody, token: carts })).toBe('welcome')
    expect(await knock('shop', 'bank', { certificate: anybody, token: carts })).toContain(
      'only be a data plane of cart',
    )
    expect(await knock('shop', 'cart', { certificate: own, token: 'forged' })).toBe('the token is not known here')
    // Without a certificate there is no connection at all.
    expect(await knock('shop', 'cart', { token: carts })).not.toBe('welcome')
  })
})
