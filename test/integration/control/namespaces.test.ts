/** Whoever may see one namespace: what each endpoint tells of another, asked of every endpoint that there is. */
import { once } from 'node:events'
import { create } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { typeUrls } from '../../../src/control/compile/xds/resources.js'
import { endpoints } from '../../../src/control/server/router.js'
import { discoveryService } from '../../../src/control/xds/discovery-service.js'
import { metadataKey } from '../../../src/control/xds/node-of.js'
import { DeltaDiscoveryRequestSchema } from '../../../src/control/xds/protos/envoy/service/discovery/v3/discovery_pb.js'
import { httpRoute } from '../../kit/control.js'
import { type IssuingControl, issue, startIssuingControl } from '../../kit/issuing-control.js'
import { removeScratch } from '../../kit/scratch.js'

const ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  removeScratch()
})

/** What is in the namespace `bank` has this word in its name; nothing in `shop` has. */
const foreign = 'vault'
const parentRefs = [{ group: '', kind: 'Service', name: foreign }]

/** A data plane of the namespace `bank`, as far as its first answer. */
async function joinBank({ xdsPort }: IssuingControl): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = discoveryService.deltaAggregatedResources
  const client = new Client(`127.0.0.1:${xdsPort}`, credentials.createInsecure())
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
  call.on('error', () => {})
  const node = { id: `${foreign}-1`, cluster: foreign, metadata: { [metadataKey]: { namespace: 'bank' } } }
  call.write(create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrls.clusters, node }))
  ends.push(() => {
    call.cancel()
    client.close()
  })
  await once(call, 'data', { signal: AbortSignal.timeout(10_000) })
}

async function mesh() {
  const running = await startIssuingControl({})
  ends.push(() => running.close())
  const { admin } = running
  await admin.ask('POST', '/v1/apply', {
    resources: [
      httpRoute(foreign, { parentRefs }, { namespace: 'bank' }),
      httpRoute('own', { parentRefs: [{ group: '', kind: 'Service', name: 'cart' }] }, { namespace: 'shop' }),
    ],
  })
  for (const [namespace, service] of [
    ['bank', foreign],
    ['shop', 'cart'],
  ])
    await admin.ask('POST', '/v1/workloads', { namespace, service, id: `${service}-0`, port: 9080 })
  const token = await admin.ask<{ token: { id: string } }>('POST', '/v1/tokens', {
    ...{ name: foreign, role: 'viewer', namespaces: ['bank'] },
  })
  await admin.ask('POST', '/v1/ca/certificates', { account: foreign, namespace: 'bank' })
  await issue(admin, foreign)
  const identity = `spiffe://shop.example/ns/bank/sa/${foreign}`
  await admin.ask('POST', '/v1/ca/revocations', { identity })
  await joinBank(running)
  return { running, tokenId: token.token.id, identity }
}

type Call = [method: string, path: string, body?: object]

/** For each endpoint what is asked of it, and whether it is denied (true) or answered without the foreign word. */
function cases(tokenId: string, identity: string, revision: number): Record<string, [denied: boolean, call: Call][]> {
  const there = `/v1/resources/httproute/bank/${foreign}`
  const workload = `/v1/workloads/bank/${foreign}/${foreign}-0`
  return {
    'GET /v1/kinds': [[false, ['GET', '/v1/kinds']]],
    'GET /v1/resources': [
      [false, ['GET', '/v1/resources']],
      [true, ['GET', '/v1/resources?namespace=bank']],
    ],
    'GET /v1/resources/{kind}/{namespace}/{name}': [[true, ['GET', there]]],
    'POST /v1/apply': [
      [true, ['POST', '/v1/apply', { resources: [httpRoute('new', { parentRefs }, { namespace: 'bank' })] }]],
      [
        true,
        ['POST', '/v1/apply', { resources: [httpRoute(foreign, { parentRefs }, { namespace: 'bank' })], dryRun: true }],
      ],
    ],
    'DELETE /v1/resources/{kind}/{namespace}/{name}': [[true, ['DELETE', there]]],
    'GET /v1/resources/{kind}/{namespace}/{name}/history': [[true, ['GET', `${there}/history`]]],
    'POST /v1/resources/{kind}/{namespace}/{name}/rollback': [
      [true, ['POST', `${there}/rollback`, {}]],
      [true, ['POST', `${there}/rollback`, { dryRun: true }]],
    ],
    'GET /v1/watch': [
      [false, ['GET', '/v1/watch']],
      [false, ['GET', '/v1/watch?from=1']],
      [true, ['GET', '/v1/watch?namespace=bank']],
    ],
    'GET /v1/workloads': [
      [false, ['GET', '/v1/workloads']],
      [true, ['GET', '/v1/workloads?namespace=bank']],
    ],
    'POST /v1/workloads': [[true, ['POST', '/v1/workloads', { namespace: 'bank', service: 'x', port: 1 }]]],
    'POST /v1/workloads/{namespace}/{service}/{id}/heartbeat': [[true, ['POST', `${workload}/heartbeat`, {}]]],
    'DELETE /v1/workloads/{namespace}/{service}/{id}': [[true, ['DELETE', workload]]],
    'GET /v1/status': [[false, ['GET', '/v1/status']]],
    'GET /v1/check': [[true, ['GET', '/v1/check']]],
    'GET /v1/verdicts/{revision}': [[false, ['GET', `/v1/verdicts/${revision}`]]],
    'GET /v1/inspect/nodes/{node}': [[true, ['GET', `/v1/inspect/nodes/${foreign}-1`]]],
    'GET /v1/inspect/resources/{kind}/{namespace}/{name}': [
      [true, ['GET', `/v1/inspect/resources/httproute/bank/${foreign}`]],
    ],
    'GET /v1/audit': [[false, ['GET', '/v1/audit']]],
    'POST /v1/tokens': [[true, ['POST', '/v1/tokens', { name: 'x', role: 'viewer', namespaces: ['bank'] }]]],
    'GET /v1/tokens': [[false, ['GET', '/v1/tokens']]],
    'DELETE /v1/tokens/{id}': [[true, ['DELETE', `/v1/tokens/${tokenId}`]]],
    'GET /v1/ca': [[false, ['GET', '/v1/ca']]],
    'GET /v1/ca/roots': [[false, ['GET', '/v1/ca/roots']]],
    'GET /v1/ca/issued': [
      [false, ['GET', '/v1/ca/issued']],
      [false, ['GET', `/v1/ca/issued?identity=${encodeURIComponent(identity)}`]],
    ],
    'POST /v1/ca/rotate': [[true, ['POST', '/v1/ca/rotate', {}]]],
    'POST /v1/ca/revocations': [
      [true, ['POST', '/v1/ca/revocations', { identity, lift: true }]],
      [true, ['POST', '/v1/ca/revocations', { serial: '0a' }]],
    ],
    'POST /v1/ca/certificates': [
      [true, ['POST', '/v1/ca/certificates', { account: foreign, namespace: 'bank' }]],
      [true, ['POST', '/v1/ca/certificates', { hosts: [`${foreign}.example`] }]],
    ],
    'GET /live': [[false, ['GET', '/live']]],
    'GET /ready': [[false, ['GET', '/ready']]],
    'GET /openapi.json': [[false, ['GET', '/openapi.json']]],
  }
}

/** The answer; of a stream what comes within its first lines. */
async function ask({ control }: IssuingControl, token: string, [method, path, body]: Call) {
  const headers = { authorization: `Bearer ${token}` }
  const end = new AbortController()
  const init = { method, headers, signal: end.signal, ...(body && { body: JSON.stringify(body) }) }
  const answer = await fetch(`${control.url}${path}`, init)
  let text = ''
  if (answer.headers.get('content-type') !== 'application/x-ndjson')
    return { status: answer.status, text: await answer.text() }
  for await (const chunk of answer.body ?? []) {
    text += Buffer.from(chunk as Uint8Array).toString()
    if (text.includes('\n')) break
  }
  end.abort()
  return { status: answer.status, text }
}

describe('an admin of one namespace', () => {
  it('changes nothing of another and is told nothing of it, at any endpoint', async () => {
    const { running, tokenId, identity } = await mesh()
    const { admin, control } = running
    const body = { name: 'shop', role: 'admin', namespaces: ['shop'] }
    const { text: token } = await admin.ask<{ text: string }>('POST', '/v1/tokens', body)
    const revision = control.store.revision()
    const all = cases(tokenId, identity, revision)
    expect(Object.keys(all).sort()).toEqual(endpoints.map(({ method, path }) => `${method} ${path}`).sort())
    for (const [denied, call] of Object.values(all).flat()) {
      const { status, text } = await ask(running, token, call)
      const shown = `${call[0]} ${call[1]}: ${status} ${text}`
      // One that is asked for by its name is either forbidden or, as far as the asker can tell, not there.
      if (denied) expect([403, 404], shown).toContain(status)
      else expect([status, text.includes(foreign)], shown).toEqual([200, false])
    }
    expect(control.store.revision()).toBe(revision)
    // The same questions of somebody who may: they were asked the right way.
    for (const path of [
      '/v1/resources',
      '/v1/watch',
      '/v1/workloads',
      '/v1/status',
      '/v1/audit',
      '/v1/tokens',
      '/v1/ca',
      '/v1/ca/issued',
      `/v1/verdicts/${revision}`,
      `/v1/inspect/nodes/${foreign}-1`,
    ]) {
      const { status, text } = await ask(running, running.adminToken, ['GET', path])
      expect([status, text.includes(foreign)], `${path}: ${text}`).toEqual([200, true])
    }
  })
})
