/** `weft why` and `/records`: what a running proxy tells of requests that it served, retried and refused. */
import { request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RecordList, Why } from '../../../src/native/index.js'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { WeftProcess } from '../../kit/weft-process.js'

let proxy: ProxyProcess
let upstream: Upstream
let dead: number

beforeAll(async () => {
  upstream = await Upstream.start()
  dead = await freePort()
  proxy = await ProxyProcess.start([`127.0.0.1:${dead}`, upstream.address], {
    config: { records: { headers: ['user-agent', 'authorization'] } },
    route: { retry: { retries: 1, on: ['connect-failure'], backoff: { base: '1ms', max: '2ms' } } },
  })
})

afterAll(async () => {
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

const ask = async (id: string, path = '/bytes/5', headers: Record<string, string> = {}) => {
  const answer = await request(`${proxy.url}${path}`, { headers: { 'x-request-id': id, ...headers } })
  await answer.body.dump()
  return answer
}

const run = async (...args: string[]) => {
  const program = new WeftProcess([...args, '--admin', new URL(proxy.admin).host])
  const code = await program.ended
  return { code, stdout: program.stdout, stderr: program.stderr }
}

const why = async (id: string): Promise<Why> => {
  const { code, stdout } = await run('why', id, '--output', 'json')
  expect(code).toBe(0)
  return JSON.parse(stdout) as Why
}

/** Round robin meets the dead endpoint every other time. */
const retried = async (): Promise<string> => {
  for (const id of ['first', 'second']) await ask(id)
  const { records } = (await (await fetch(`${proxy.admin}/records?limit=2`)).json()) as RecordList
  const found = records.find(({ attemptCount }) => attemptCount === 2)
  expect(found).toBeDefined()
  return found?.id ?? ''
}

it('tells both attempts of a request that was retried, with cause and timing', async () => {
  const id = await retried()
  const { record, attempts, generationKnown } = await why(id)
  expect(record).toMatchObject({
    id,
    listener: 'edge',
    route: 'all',
    cluster: 'app',
    status: 200,
    flag: '-',
    method: 'GET',
  })
  expect(generationKnown).toBe(true)
  expect(attempts).toMatchObject([
    { upstream: `127.0.0.1:${dead}`, failure: 'no connection could be made', status: 0 },
    { upstream: upstream.address, failure: null, status: 200 },
  ])
  const [first, second] = attempts
  expect(first?.endedUs).toBeLessThanOrEqual(second?.startedUs ?? 0)
  expect(second?.endedUs).toBeLessThanOrEqual(record.totalUs)
})

it('draws the attempts for people', async () => {
  const id = await retried()
  const { code, stdout } = await run('why', id)
  expect(code).toBe(0)
  expect(stdout).toContain(`GET ${new URL(proxy.url).host}/bytes/5 -> 200 in `)
  expect(stdout).toContain('listener edge -> route all -> cluster app')
  expect(stdout).toMatch(/ 1 {2}127\.0\.0\.1:\d+ {2}\|[.#]+\| {2}.* {2}no connection could be made\n/)
  expect(stdout).toMatch(/ 2 {2}127\.0\.0\.1:\d+ {2}\|[.#]+\| {2}.* {2}answered 200\n/)
})

it('says what failed and what to do, and never shows what is redacted', async () => {
  const refused = await ProxyProcess.start(`127.0.0.1:${dead}`, { config: { records: { headers: ['authorization'] } } })
  const headers = { 'x-request-id': 'refused', authorization: 'Bearer secret' }
  const answer = await request(`${refused.url}/`, { headers })
  const body = await answer.body.text()
  expect(answer.headers['proxy-status']).toBe(
    `weft; error=connection_refused; next-hop="127.0.0.1:${dead}"; details="the endpoint cannot be connected to"`,
  )
  expect(answer.headers['x-request-id']).toBe('refused')
  const text = await (await fetch(`${refused.admin}/why/refused`)).text()
  expect(text).toContain('503 UF (UpstreamConnectionFailure)')
  expect(text).toContain('what to do\n  check that the endpoint listens at its address\n')
  expect(text).toContain('authorization  [redacted]')
  expect(`${text}${body}`).not.toContain('secret')
  expect(await refused.stop()).toBe(0)
})

it('asks the rules of its generation again, with what it kept of the request', async () => {
  const tester = { path: { prefix: '/' }, headers: [{ name: 'end-user', exact: 'tester' }] }
  const routes = [
    { name: 'testers', matches: [tester], respond: { status: 200, body: 'tested' } },
    { name: 'old', matches: [{ path: { prefix: '/old' } }], redirect: { path: '/new', status: 301 } },
    { name: 'others', forward: [{ cluster: 'app' }] },
  ]
  const ruled = await ProxyProcess.start(upstream.address, { config: { routes: routes as never } })
  const send = async (id: string, headers: Record<string, string>) => {
    const answer = await request(`${ruled.url}/a/b`, { headers: { 'x-request-id': id, ...headers } })
    await answer.body.dump()
  }
  await send('by-tester', { 'end-user': 'tester' })
  await send('by-other', {})
  const told = async (id: string) => (await (await fetch(`${ruled.admin}/why/${id}?format=json`)).json()) as Why
  const [byTester, byOther] = [await told('by-tester'), await told('by-other')]
  const standing = ({ routing }: Why) => routing?.rules.map(({ route, standing }) => `${route} ${standing}`).sort()
  expect(standing(byTester)).toEqual(['old passed-over', 'others outranked', 'testers chosen'])
  expect(standing(byOther)).toEqual(['old passed-over', 'others chosen', 'testers passed-over'])
  expect(byTester).toMatchObject({ record: { route: 'testers', headers: { 'end-user': 'tester' } }, attempts: [] })
  expect(byTester.record.marks).toEqual(['answered'])
  const text = await (await fetch(`${ruled.admin}/why/by-other`)).text()
  expect(text).toMatch(/✗ +testers .*end-user/s)
  expect(text).not.toContain('asked again')
  expect(await ruled.stop()).toBe(0)
})

it('tells whom the balancer compared, with scores, and which of them it picked', async () => {
  const other = await Upstream.start('other')
  const endpoints = [upstream.address, other.address]
  const balanced = await ProxyProcess.start(endpoints, {
    cluster: { loadBalancer: { policy: 'least-request', choices: 2 } },
  })
  const answer = await request(`${balanced.url}/bytes/5`, { headers: { 'x-request-id': 'balanced' } })
  await answer.body.dump()
  const { attempts } = (await (await fetch(`${balanced.admin}/why/balanced?format=json`)).json()) as Why
  const candidates = attempts[0]?.candidates ?? []
  expect(candidates.length).toBeGreaterThan(0)
  for (const { address } of candidates) expect(endpoints).toContain(address)
  const [picked] = candidates.filter((candidate) => candidate.picked)
  expect(picked?.address).toBe(attempts[0]?.upstream)
  expect(picked?.score).toBe(Math.min(...candidates.flatMap(({ score }) => score ?? [])))
  expect(await balanced.stop()).toBe(0)
})

it('gives an id to an answer whose request could not be read, and finds it by that', async () => {
  const { statusCode, headers, body } = await request(`${proxy.url}/`, { headers: { 'x-big': 'b'.repeat(70_000) } })
  await body.dump()
  expect(statusCode).toBe(431)
  const { record } = await why(String(headers['x-request-id']))
  expect(record).toMatchObject({ status: 431, flag: 'DPE', route: null, attemptCount: 0 })
})

it('names what it kept of a generation that a reload replaced, and says when that is gone', async () => {
  await ask('before-reload')
  // A configuration that did not change makes no new generation.
  const changed = (turn: number) => proxy.reload({ ...proxy.config, node: { version: `v${turn}` } })
  await changed(0)
  expect(await why('before-reload')).toMatchObject({ generationKnown: true, record: { route: 'all' } })
  for (let turn = 1; turn < 5; turn++) await changed(turn)
  await ask('after-reload')
  expect(await why('before-reload')).toMatchObject({ generationKnown: false, record: { route: null } })
  const { stdout } = await run('why', 'before-reload')
  expect(stdout).toContain('is no longer kept')
})

it('ends with 1 for an id without a record, and when nobody answers', async () => {
  expect(await run('why', 'never-seen')).toMatchObject({ code: 1, stdout: '' })
  const alone = new WeftProcess(['why', 'x', '--admin', `127.0.0.1:${dead}`])
  expect(await alone.ended).toBe(1)
  expect(alone.stderr).toContain('WEFT_ADMIN_UNREACHABLE')
})

it('lists records by route, status and flag', async () => {
  await ask('missing', '/status/404')
  const { records } = (await (await fetch(`${proxy.admin}/records?status=4xx&route=all&limit=5`)).json()) as RecordList
  expect(records.map(({ id, status }) => [id, status])).toEqual([['missing', 404]])
  expect((await fetch(`${proxy.admin}/records?status=many`)).status).toBe(400)
})
