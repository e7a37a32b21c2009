/** Data planes at the door of a whole control plane over TLS: who is let in, by certificate and by token. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { create } from '@bufbuild/protobuf'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { typeUrls } from '../../../src/control/compile/xds/resources.js'
import { controlConfig } from '../../../src/control/config/control-config.js'
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

  it('is shown out when its token is revoked or has expired, and others stay', async () => {
    let aheadMs = 0
    const data = scratchFolder()
    const config = controlConfig.parse({ data, xds: { listen: '127.0.0.1:0' } })
    running = await startTestControl(
      { data },
      {
        nowMs: () => Date.now() + aheadMs,
        distribute: (source, parts) => startDistribution(config, source, parts),
      },
    )
    const { control, admin } = running
    const enter = async (service: string, more: object = {}) => {
      const body = { name: service, role: 'workload', namespaces: ['shop'], service, ...more }
      const { text, token } = await admin.ask<{ text: string; token: { id: string } }>('POST', '/v1/tokens', body)
      const client = new Client(control.xdsAddress ?? '', credentials.createInsecure())
      const metadata = new Metadata()
      metadata.set('authorization', `Bearer ${text}`)
      const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata)
      const ended = new Promise<string>((resolve) => {
        call.on('error', (error: ServiceError) => resolve(`${error.code} ${error.details}`))
      })
      const node = { id: service, cluster: service, metadata: { [metadataKey]: { namespace: 'shop' } } }
      call.write(create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrls.clusters, node }))
      await once(call, 'data', { signal: AbortSignal.timeout(10_000) })
      const leave = () => {
        call.cancel()
        client.close()
      }
      return { id: token.id, ended, leave }
    }
    const connected = async () => {
      const { dataPlanes } = await admin.get<{ dataPlanes: { node: string }[] }>('/v1/status')
      return dataPlanes.map(({ node }) => node).sort()
    }
    const [bank, cart, brief] = [await enter('bank'), await enter('cart'), await enter('brief', { expiresIn: '1h' })]
    expect(await connected()).toEqual(['bank', 'brief', 'cart'])
    await admin.ask('DELETE', `/v1/tokens/${bank.id}`)
    expect(await bank.ended).toBe('7 the token is not known here')
    expect(await connected()).toEqual(['brief', 'cart'])
    aheadMs = 3_600_001
    // Whatever gives cause to look: here another token.
    await admin.ask('POST', '/v1/tokens', { name: 'x', role: 'viewer' })
    expect(await brief.ended).toContain('7 the token expired at')
    expect(await connected()).toEqual(['cart'])
    for (const { leave } of [bank, cart, brief]) leave()
  })
})
