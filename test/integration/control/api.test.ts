/** The API over real sockets: resources, registry, access, limits, audit. */
import { readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import { afterEach, describe, expect, it } from 'vitest'
import type { ApiClient } from '../../../src/control/client/api-client.js'
import type { DataPlane, DataPlanes, Verdict } from '../../../src/control/data-planes/data-planes.js'
import { httpRoute, startTestControl, type TestControl } from '../../kit/control.js'
import { removeScratch } from '../../kit/scratch.js'

const running: TestControl[] = []
afterEach(async () => {
  for (const control of running.splice(0)) await control.close()
  removeScratch()
})

async function start(...args: Parameters<typeof startTestControl>): Promise<TestControl> {
  const control = await startTestControl(...args)
  running.push(control)
  return control
}

const route = '/v1/resources/httproute/default'
const apply = (client: ApiClient, ...resources: unknown[]) => client.ask<Result>('POST', '/v1/apply', { resources })

interface Result {
  revision: number
  changes: { name: string; outcome: string; before: object | null; after: object | null }[]
}

async function tokenFor(control: TestControl, body: object): Promise<{ text: string; client: ApiClient; id: string }> {
  const answer = await control.admin.ask<{ text: string; token: { id: string } }>('POST', '/v1/tokens', body)
  return { text: answer.text, id: answer.token.id, client: control.as(answer.text) }
}

describe('resources over the API', () => {
  it('are created, read, changed, left alone, deleted, and remembered', async () => {
    const { admin } = await start()
    const first = await apply(admin, httpRoute('a', { n: 1 }), httpRoute('b'))
    expect(first.changes.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['a', 'created'],
      ['b', 'created'],
    ])
    const a = await admin.get<Record<string, object>>(`${route}/a`)
    expect(a).toMatchObject({
      spec: { n: 1 },
      metadata: { namespace: 'default', resourceVersion: String(first.revision) },
    })
    expect((await apply(admin, a)).changes[0]?.outcome).toBe('unchanged')
    expect((await apply(admin, { ...a, spec: { n: 2 } })).changes[0]?.outcome).toBe('changed')
    await expect(apply(admin, { ...a, spec: { n: 3 } })).rejects.toMatchObject({
      code: 'WEFT_STORE_CONFLICT',
      message: expect.stringMatching(/default\/a was to be at version 2, but token:\w+\(first\) wrote version 3 at/),
    })
    await admin.ask('DELETE', `${route}/a`)
    await expect(admin.get(`${route}/a`)).rejects.toMatchObject({
      code: 'WEFT_API_NOT_FOUND',
      hint: expect.stringMatching(/\(first\) deleted it in revision 4$/),
    })
    const { items } = await admin.get<{ items: { reason: string; resource: { spec: object } | null }[] }>(
      `${route}/a/history`,
    )
    expect(items.map(({ reason, resource }) => [reason, resource?.spec ?? null])).toEqual([
      ['delete', null],
      ['apply', { n: 2 }],
      ['apply', { n: 1 }],
    ])
  })

  it('go back to what they were, also after a deletion', async () => {
    const { admin } = await start()
    const { revision } = await apply(admin, httpRoute('a', { n: 1 }))
    await apply(admin, httpRoute('a', { n: 2 }))
    const back = await admin.ask<Result>('POST', `${route}/a/rollback`, {})
    expect(back.changes[0]).toMatchObject({ outcome: 'changed', after: { spec: { n: 1 } } })
    await admin.ask('DELETE', `${route}/a`)
    const dry = await admin.ask<Result>('POST', `${route}/a/rollback`, { to: revision + 1, dryRun: true })
    expect(dry.changes[0]).toMatchObject({ outcome: 'created', after: { spec: { n: 2 } } })
    await admin.ask('POST', `${route}/a/rollback`, { to: revision + 1 })
    expect(await admin.get(`${route}/a`)).toMatchObject({ spec: { n: 2 } })
    await expect(admin.ask('POST', `${route}/a/rollback`, { to: 1 })).rejects.toMatchObject({
      code: 'WEFT_API_NOT_FOUND',
      hint: expect.stringMatching(/known revisions: 6, 5, 4, 3, 2/),
    })
  })

  it('say what would happen without doing it', async () => {
    const { admin, control } = await start()
    const before = control.store.revision()
    const dry = await admin.ask<Result>('POST', '/v1/apply', { resources: [httpRoute('a')], dryRun: true })
    expect(dry).toMatchObject({ dryRun: true, revision: before, changes: [{ outcome: 'created', before: null }] })
    expect(control.store.revision()).toBe(before)
  })

  it('are refused with every issue of all of them, and then none is changed', async () => {
    const { admin, control } = await start()
    const before = control.store.revision()
    const wrong = apply(admin, httpRoute('a'), httpRoute('B'), { ...httpRoute('c'), speck: 1 }, { kind: 'X' })
    await expect(wrong).rejects.toMatchObject({
      code: 'WEFT_CONFIG_INVALID',
      issues: expect.arrayContaining([
        expect.objectContaining({ index: 1, path: 'metadata.name' }),
        expect.objectContaining({ index: 2, path: 'speck', hint: 'did you mean `spec`?' }),
        expect.objectContaining({ index: 3, path: 'metadata' }),
      ]),
    })
    await expect(apply(admin, httpRoute('a'), httpRoute('a'))).rejects.toMatchObject({
      issues: [expect.objectContaining({ code: 'WEFT_CONFIG_DUPLICATE', index: 1 })],
    })
    expect(control.store.revision()).toBe(before)
  })

  it('are found by kind in any of its names, by namespace and by labels', async () => {
    const { admin } = await start()
    const gateway = (apiVersion: string) => ({ ...httpRoute('g'), apiVersion, kind: 'Gateway' })
    await apply(
      admin,
      httpRoute('a', {}, { labels: { app: 'x', tier: 'web' } }),
      httpRoute('b', {}, { namespace: 'shop', labels: { app: 'x' } }),
      gateway('gateway.networking.k8s.io/v1'),
      gateway('networking.istio.io/v1'),
    )
    const names = async (query: string) => {
      const { items } = await admin.get<{ items: { metadata: { name: string } }[] }>(`/v1/resources?${query}`)
      return items.map(({ metadata }) => metadata.name)
    }
    expect(await names('kind=httproutes')).toEqual(['a', 'b'])
    expect(await names('kind=HTTPRoute.gateway&namespace=shop')).toEqual(['b'])
    expect(await names('labels=app%3Dx,tier%3Dweb')).toEqual(['a'])
    expect(await names('kind=gateway.networking.istio.io')).toEqual(['g'])
    await expect(names('kind=gateway')).rejects.toMatchObject({
      code: 'WEFT_API_KIND',
      hint: 'say which: Gateway.gateway.networking.k8s.io or Gateway.networking.istio.io',
    })
    await expect(names('kind=nonsense')).rejects.toMatchObject({ code: 'WEFT_API_KIND' })
    await expect(names('knd=httproute')).rejects.toMatchObject({ code: 'WEFT_API_REQUEST' })
  })

  it('are taken as YAML from curl', async () => {
    const { control, adminToken } = await start()
    const body = [httpRoute('a'), httpRoute('b')].map((one) => `---\n${dump(one)}`).join('')
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/yaml' }
    const answer = await fetch(`${control.url}/v1/apply`, { method: 'POST', headers, body })
    expect([answer.status, ((await answer.json()) as Result).changes.length]).toEqual([200, 2])
  })

  it('are watched: what there is, then what comes', async () => {
    const { admin } = await start()
    await apply(admin, httpRoute('a', { n: 1 }))
    const seen: unknown[] = []
    const end = new AbortController()
    for await (const line of admin.lines<{ type: string; resource?: { metadata: { name: string } } }>(
      '/v1/watch?kind=httproute',
      end.signal,
    )) {
      seen.push([line.type, line.resource?.metadata.name])
      if (line.type === 'synced') {
        await apply(admin, httpRoute('b'))
        await apply(admin, httpRoute('a', { n: 2 }))
        await admin.ask('DELETE', `${route}/b`)
      }
      if (line.type === 'deleted') end.abort()
    }
    expect(seen).toEqual([
      ['added', 'a'],
      ['synced', undefined],
      ['added', 'b'],
      ['changed', 'a'],
      ['deleted', 'b'],
    ])
  })
})

describe('workloads over the API', () => {
  it('register, are heard of and go, with curl’s means', async () => {
    const control = await start()
    const { text } = await tokenFor(control, { name: 'apps', role: 'workload' })
    const ask = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${text}` }
      const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
      const answer = await fetch(`${control.control.url}${path}`, init)
      return { status: answer.status, body: (await answer.json()) as { id: string; epoch: number; code: string } }
    }
    const registered = await ask('POST', '/v1/workloads', { service: 'reviews', port: 9080, version: 'v1' })
    expect(registered).toMatchObject({
      status: 201,
      body: { id: '127.0.0.1:9080', address: '127.0.0.1', ttlMs: 30_000 },
    })
    const one = '/v1/workloads/default/reviews/127.0.0.1:9080'
    expect((await ask('POST', `${one}/heartbeat`)).status).toBe(200)
    expect(await ask('POST', `${one}/heartbeat`, { epoch: 1 })).toMatchObject({
      status: 409,
      body: { code: 'WEFT_REGISTRY_EPOCH' },
    })
    expect((await ask('GET', '/v1/workloads')).status).toBe(403)
    const { items } = await control.admin.get<{ items: object[] }>('/v1/workloads?service=reviews')
    expect(items).toMatchObject([{ labels: { app: 'reviews', version: 'v1' }, health: 'healthy' }])
    expect((await ask('DELETE', `${one}?epoch=${registered.body.epoch}`)).status).toBe(200)
    expect(await ask('POST', `${one}/heartbeat`)).toMatchObject({
      status: 404,
      body: { code: 'WEFT_REGISTRY_UNKNOWN' },
    })
  })
})

describe('access', () => {
  it('is refused without a token, with a wrong one and with an expired one, and refusals are slowed down', async () => {
    let aheadMs = 0
    const control = await start({}, { nowMs: () => Date.now() + aheadMs })
    await expect(control.as(null).get('/v1/status')).rejects.toMatchObject({ code: 'WEFT_ACCESS_TOKEN' })
    const { text } = await tokenFor(control, { name: 'brief', role: 'viewer', expiresIn: '1s' })
    const forged = text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A')
    for (const token of ['x', 'weft_00000000_', forged]) {
      await expect(control.as(token).get('/v1/status')).rejects.toMatchObject({ code: 'WEFT_ACCESS_TOKEN' })
    }
    aheadMs = 1_001
    await expect(control.as(text).get('/v1/status')).rejects.toThrow('the token expired at')
    const tries = await Promise.allSettled(Array.from({ length: 40 }, () => control.as(forged).get('/v1/status')))
    const codes = tries.map((one) => one.status === 'rejected' && (one.reason as { code: string }).code)
    expect(codes).toContain('WEFT_ACCESS_RATE')
    expect(await control.admin.get('/v1/status')).toMatchObject({ resources: 0 })
  })

  it('gives each role what it may and nothing more, in its namespaces', async () => {
    const control = await start()
    const shop = ['shop']
    const viewer = (await tokenFor(control, { name: 'v', role: 'viewer', namespaces: shop })).client
    const operator = (await tokenFor(control, { name: 'o', role: 'operator', namespaces: shop })).client
    const workload = (await tokenFor(control, { name: 'w', role: 'workload', namespaces: shop, service: 'cart' }))
      .client
    await apply(control.admin, httpRoute('a'), httpRoute('b', {}, { namespace: 'shop' }))
    const denied = { code: 'WEFT_ACCESS_FORBIDDEN' }
    await apply(operator, httpRoute('c', {}, { namespace: 'shop' }))
    await expect(apply(operator, httpRoute('c'))).rejects.toMatchObject(denied)
    await expect(apply(viewer, httpRoute('c', {}, { namespace: 'shop' }))).rejects.toMatchObject(denied)
    await expect(operator.ask('DELETE', `${route}/a`)).rejects.toMatchObject(denied)
    await expect(operator.get('/v1/tokens')).rejects.toMatchObject(denied)
    await expect(viewer.get(`${route}/a`)).rejects.toMatchObject(denied)
    const { items } = await viewer.get<{ items: { metadata: { name: string } }[] }>('/v1/resources')
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['b', 'c'])
    await workload.ask('POST', '/v1/workloads', { service: 'cart', namespace: 'shop', port: 80 })
    for (const body of [
      { service: 'cart', port: 80 },
      { service: 'other', namespace: 'shop', port: 80 },
    ])
      await expect(workload.ask('POST', '/v1/workloads', body)).rejects.toMatchObject(denied)
    await expect(workload.get('/v1/resources')).rejects.toMatchObject(denied)
  })

  it('lets nobody make a token that may do more than its maker', async () => {
    const control = await start()
    const { client } = await tokenFor(control, { name: 'shop admin', role: 'admin', namespaces: ['shop'] })
    await client.ask('POST', '/v1/tokens', { name: 'x', role: 'operator', namespaces: ['shop'] })
    for (const body of [{ role: 'viewer' }, { role: 'admin', namespaces: ['shop', 'default'] }])
      await expect(client.ask('POST', '/v1/tokens', { name: 'y', ...body })).rejects.toMatchObject({
        code: 'WEFT_ACCESS_FORBIDDEN',
      })
    const { items } = await client.get<{ items: { name: string }[] }>('/v1/tokens')
    expect(items.map(({ name }) => name).sort()).toEqual(['shop admin', 'x'])
  })

  it('ends with a token at once, and no file holds its secret', async () => {
    const control = await start()
    const { client, id, text } = await tokenFor(control, { name: 'v', role: 'viewer' })
    await client.get('/v1/status')
    await control.admin.ask('DELETE', `/v1/tokens/${id}`)
    await expect(client.get('/v1/status')).rejects.toMatchObject({ code: 'WEFT_ACCESS_TOKEN' })
    await control.admin.get('/v1/audit')
    const secret = text.split('_')[2] ?? ''
    for (const file of ['store/log-0000000000000001', 'audit.log']) {
      expect(readFileSync(join(control.data, file), 'utf8')).not.toContain(secret)
    }
    expect(statSync(join(control.data, 'admin.token')).mode & 0o777).toBe(0o600)
  })

  it('is bounded in requests per second for each caller', async () => {
    const control = await start({ limits: { requestsPerSecond: 5 } })
    const ask = () =>
      fetch(`${control.control.url}/v1/kinds`, { headers: { authorization: `Bearer ${control.adminToken}` } })
    const answers = await Promise.all(Array.from({ length: 60 }, ask))
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers.filter(({ status }) => status === 200).length + refused.length).toBe(60)
    // A machine that needs ten seconds for sixty requests would not be slow, it would stand.
    expect(refused.length).toBeGreaterThan(10)
    expect(refused.map(({ headers }) => headers.get('retry-after'))).toEqual(refused.map(() => '1'))
  })
})

describe('the audit log', () => {
  it('says who changed what, with what stood there before and after, and who was denied', async () => {
    const control = await start()
    const { client } = await tokenFor(control, { name: 'bob', role: 'viewer' })
    await apply(control.admin, httpRoute('a', { n: 1 }))
    await apply(control.admin, httpRoute('a', { n: 2 }))
    await apply(client, httpRoute('a', { n: 3 })).catch(() => {})
    const { items } = await control.admin.get<{ items: object[] }>('/v1/audit?limit=3')
    const what = 'HTTPRoute.gateway.networking.k8s.io/default/a'
    expect(items).toMatchObject([
      { event: 'denied', who: expect.stringContaining('(bob)'), why: expect.stringContaining('POST /v1/apply') },
      {
        event: 'change',
        who: expect.stringContaining('(first)'),
        why: 'apply',
        what,
        before: { spec: { n: 1 } },
        after: { spec: { n: 2 } },
      },
      { event: 'change', what, before: null, after: { spec: { n: 1 } } },
    ])
    expect(JSON.stringify(items)).not.toContain('secretSha256')
  })

  it('goes on after a restart without a gap or a repetition', async () => {
    const first = await start()
    await apply(first.admin, httpRoute('a'))
    await first.close()
    running.pop()
    const second = await start({ data: first.data })
    await apply(second.admin, httpRoute('b'))
    const { items } = await second.admin.get<{ items: { revision: number }[] }>('/v1/audit')
    expect(items.map(({ revision }) => revision)).toEqual([3, 2, 1])
  })
})

describe('a hostile or broken request', () => {
  /** Raw, because a good client would not send it. */
  function raw(control: TestControl, method: string, path: string, headers: object, body: string) {
    return new Promise<{ status: number; body: { code: string; message: string } }>((resolve, reject) => {
      const all = { authorization: `Bearer ${control.adminToken}`, ...headers }
      const sent = request(`${control.control.url}${path}`, { method, headers: all }, (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }))
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
  const json = { 'content-type': 'application/json' }
  const yaml = { 'content-type': 'application/yaml' }

  it.each([
    ['no JSON', 'POST', '/v1/apply', json, '{"resources": [', 400, 'WEFT_CONFIG_SYNTAX'],
    ['no YAML', 'POST', '/v1/apply', yaml, 'a: [', 400, 'WEFT_CONFIG_SYNTAX'],
    ['another shape', 'POST', '/v1/apply', json, '[]', 400, 'WEFT_API_REQUEST'],
    ['nothing', 'POST', '/v1/apply', json, '', 400, 'WEFT_API_REQUEST'],
    [
      'a body over the limit',
      'POST',
      '/v1/apply',
      json,
      JSON.stringify({ resources: ['x'.repeat(70_000)] }),
      413,
      'WEFT_API_TOO_LARGE',
    ],
    [
      'a chunked body over the limit',
      'POST',
      '/v1/apply',
      { ...json, 'transfer-encoding': 'chunked' },
      'x'.repeat(70_000),
      413,
      'WEFT_API_TOO_LARGE',
    ],
    [
      'a depth without end',
      'POST',
      '/v1/apply',
      json,
      `{"resources":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
      413,
      'WEFT_API_TOO_LARGE',
    ],
    ['a small YAML that would become a large value', 'POST', '/v1/apply', yaml, laughs(), 413, 'WEFT_API_TOO_LARGE'],
    ['an unknown path', 'GET', '/v1/nothing', {}, '', 404, 'WEFT_API_NOT_FOUND'],
    ['another method', 'DELETE', '/v1/apply', {}, '', 405, 'WEFT_API_REQUEST'],
    ['a badly encoded path', 'GET', '/v1/resources/httproute/default/%ff', {}, '', 400, 'WEFT_API_REQUEST'],
    [
      'a name of another kind of thing',
      'GET',
      '/v1/resources/httproute/default/..%2f..%2ftoken',
      {},
      '',
      404,
      'WEFT_API_NOT_FOUND',
    ],
    ['the store’s own kinds', 'GET', '/v1/resources/token/weft/x', {}, '', 404, 'WEFT_API_KIND'],
  ])('with %s is answered with a code and a sentence', async (_, method, path, headers, body, status, code) => {
    const control = await start({ limits: { maxBodyBytes: 65_536 } })
    const answer = await raw(control, method, path, headers, body)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(answer.body.message.length).toBeGreaterThan(10)
    expect(await control.admin.get('/ready')).toMatchObject({ ready: true })
    expect(control.log.filter((line) => line.includes('Error'))).toEqual([])
  })

  it('whose body never ends holds nobody up, and a caller who goes away harms nothing', async () => {
    const control = await start()
    const stuck = request(`${control.control.url}/v1/apply`, {
      method: 'POST',
      headers: { authorization: `Bearer ${control.adminToken}`, 'content-length': 1_000 },
    })
    const gone = new Promise((resolve) => stuck.once('error', resolve))
    stuck.write('{')
    await apply(control.admin, httpRoute('a'))
    stuck.destroy(new Error('gone'))
    await gone
    await apply(control.admin, httpRoute('b'))
    expect(control.log.filter((line) => line.includes('Error'))).toEqual([])
  })
})

function laughs(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  for (let n = 1; n < 10; n += 1)
    lines.push(
      `a${n}: &a${n} [${Array(10)
        .fill(`*a${n - 1}`)
        .join(', ')}]`,
    )
  return lines.join('\n')
}

describe('the verdicts of data planes', () => {
  it('are streamed until none is pending', async () => {
    let now: Verdict[] = [{ node: 'n1', state: 'pending', refusals: [] }]
    const listeners = new Set<() => void>()
    const dataPlanes: DataPlanes = {
      list: () => [],
      reached: () => [],
      verdicts: () => now,
      onChange(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    }
    const control = await start({}, { distribute: async () => ({ address: '', dataPlanes, close: async () => {} }) })
    const seen: string[] = []
    for await (const line of control.admin.lines<{ verdicts: Verdict[] }>('/v1/verdicts/1')) {
      seen.push(line.verdicts[0]?.state ?? '')
      now = [{ node: 'n1', state: 'applied', refusals: [] }]
      for (const listener of [...listeners]) listener()
    }
    expect([seen, listeners.size]).toEqual([['pending', 'applied'], 0])
  })

  it('are told to everybody for the data planes of their namespaces only', async () => {
    const plane = (node: string, namespace: string): DataPlane => ({
      ...{
        node,
        namespace,
        kind: 'envoy',
        service: 's',
        replica: null,
        connectedAtMs: 0,
        sentRevision: 1,
        ackedRevision: 1,
        staleMs: 0,
      },
      ...{ lastRefusal: null, description: null },
    })
    const dataPlanes: DataPlanes = {
      list: () => [plane('n1', 'shop'), plane('n2', 'bank')],
      reached: () => [],
      verdicts: () => ['n1', 'n2'].map((node) => ({ node, state: 'applied', refusals: [] })),
      onChange: () => () => {},
    }
    const control = await start({}, { distribute: async () => ({ address: '', dataPlanes, close: async () => {} }) })
    const { client } = await tokenFor(control, { name: 'v', role: 'viewer', namespaces: ['shop'] })
    const nodes = async (asker: ApiClient) => {
      const seen: string[] = []
      for await (const line of asker.lines<{ verdicts: Verdict[] }>('/v1/verdicts/1')) {
        seen.push(...line.verdicts.map(({ node }) => node))
      }
      return seen
    }
    expect([await nodes(control.admin), await nodes(client)]).toEqual([['n1', 'n2'], ['n1']])
    const { dataPlanes: listed } = await client.get<{ dataPlanes: { node: string }[] }>('/v1/status')
    expect(listed.map(({ node }) => node)).toEqual(['n1'])
  })
})

describe('the OpenAPI document', () => {
  it('is served to everybody and lists every endpoint', async () => {
    const { as } = await start()
    const { openapi, paths } = await as(null).get<{ openapi: string; paths: Record<string, object> }>('/openapi.json')
    expect(openapi).toBe('3.1.0')
    expect(Object.keys(paths)).toContain('/v1/resources/{kind}/{namespace}/{name}/rollback')
  })
})
