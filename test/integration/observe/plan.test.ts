/** `weft plan` and `weft suggest` of a running proxy: what a candidate would change, and what was learned. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import type { Comparison } from '../../../src/cli/plan/compare.js'
import type { Suggestion } from '../../../src/cli/suggest/suggestions.js'
import type { ProxyConfig } from '../../../src/config/config.js'
import type { RecordList, Why } from '../../../src/native/index.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'
import { WeftProcess } from '../../kit/weft-process.js'

type Routes = NonNullable<ProxyConfig['routes']>

const gold = "request.headers['x-tier'] == 'gold' && request.path.startsWith('/bytes')"
const requests = { gold: 40, reviews: 1_200, ratings: 30, long: 3 }
const all = requests.gold + requests.reviews + requests.ratings + requests.long

let proxy: ProxyProcess
let pool: Pool

beforeAll(async () => {
  const [v1, v2] = [await Upstream.start('v1'), await Upstream.start('v2')]
  const split = [
    { cluster: 'v1', weight: 90 },
    { cluster: 'v2', weight: 10 },
  ]
  proxy = await ProxyProcess.start(v1.address, {
    config: {
      workers: 2,
      routes: [
        { name: 'reviews-gold', hosts: ['reviews'], when: gold, forward: [{ cluster: 'v2' }] },
        { name: 'reviews', hosts: ['reviews'], forward: split },
        { name: 'ratings', hosts: ['ratings'], forward: [{ cluster: 'v1' }] },
      ],
      clusters: [
        { name: 'v1', endpoints: [v1.address], keepAlive: { idleTimeout: '90s' } },
        { name: 'v2', endpoints: [v2.address] },
      ],
    },
  })
  pool = new Pool(proxy.url, { connections: 8 })
  await send(requests.gold, '/bytes/1', { host: 'reviews', 'x-tier': 'gold' })
  await send(requests.reviews, '/bytes/1', { host: 'reviews' })
  await send(requests.ratings, '/bytes/1', { host: 'ratings' })
  await send(requests.long, `/bytes/1?${'a'.repeat(1_200)}`, { host: 'ratings' })
})

afterAll(async () => {
  await pool.close()
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

async function send(count: number, path: string, headers: Record<string, string>): Promise<void> {
  const one = async () => {
    const { statusCode, body } = await pool.request({ method: 'GET', path, headers })
    await body.dump()
    expect(statusCode).toBe(200)
  }
  await Promise.all(Array.from({ length: count }, one))
}

const run = async (...args: string[]) => {
  const program = new WeftProcess(args)
  const code = await program.ended
  return { code, stdout: program.stdout, stderr: program.stderr }
}

const admin = () => new URL(proxy.admin).host

/** The candidate: the configuration in force with other routes. */
async function plan(change: (routes: Routes, config: ProxyConfig) => ProxyConfig, ...args: string[]) {
  const file = join(scratchFolder(), 'candidate.yaml')
  const config = structuredClone(proxy.config)
  writeFileSync(file, stringify(change(config.routes ?? [], config)))
  const from = args.includes('--records') ? [] : ['--admin', admin()]
  const { code, stdout, stderr } = await run('plan', '-c', file, '--output', 'json', ...from, ...args)
  if (code === 1 || code === 2) throw new Error(stdout + stderr)
  return { code, ...(JSON.parse(stdout) as Comparison & { notes: string[] }) }
}

describe('a condition in CEL', () => {
  it('routes requests, and why says of a recorded one what did not hold', async () => {
    const answer = await pool.request({
      method: 'GET',
      path: '/bytes/1',
      headers: { host: 'reviews', 'x-tier': 'silver', 'x-request-id': 'silver' },
    })
    await answer.body.dump()
    const { records } = (await (await fetch(`${proxy.admin}/records?route=reviews-gold`)).json()) as RecordList
    expect(records).toHaveLength(requests.gold)
    expect(records[0]?.headers).toEqual({ 'x-tier': 'gold' })
    const { stdout } = await run('why', 'silver', '--admin', admin(), '--output', 'json')
    const { routing } = JSON.parse(stdout) as Why
    expect(routing?.rules.find(({ route }) => route === 'reviews-gold')?.reason).toBe(
      "when does not hold: `request.headers['x-tier'] == 'gold'` is false (request.headers['x-tier'] is 'silver')",
    )
  })
})

describe('weft plan', () => {
  it('says that the configuration in force changes nothing, over all workers and pages of records', async () => {
    const { code, requests: replayed, unchanged, groups } = await plan((_, config) => config)
    expect({ code, groups }).toEqual({ code: 0, groups: [] })
    expect(replayed).toBeGreaterThanOrEqual(all)
    expect(unchanged).toBe(replayed)
  })

  it('counts who changes cluster, would be refused and finds no route, with examples', async () => {
    const { code, changes, groups } = await plan(([, reviews], config) => ({
      ...config,
      listeners: config.listeners?.map((listener) => ({ ...listener, limits: { maxHeaderBytes: 1024 } })),
      routes: [reviews ?? { name: 'none' }],
    }))
    expect(code).toBe(4)
    expect(changes).toMatchObject({
      refused: requests.long,
      unroutable: requests.ratings,
      cluster: requests.gold,
      share: 0,
    })
    expect(groups.map(({ kind, count, from, to }) => [kind, count, from, to])).toEqual([
      ['refused', requests.long, 'cluster v1', '414 before routing: the request line is too long'],
      ['unroutable', requests.ratings, 'cluster v1', 'no route (404)'],
      ['cluster', requests.gold, 'cluster v2', 'chance: 90 % v1, 10 % v2'],
    ])
    expect(groups[2]?.examples).toHaveLength(3)
    expect(groups[2]?.examples[0]).toMatchObject({ method: 'GET', authority: 'reviews', path: '/bytes/1' })
  })

  it('tells other shares from another cluster', async () => {
    const { code, changes } = await plan((routes, config) => ({
      ...config,
      routes: routes.map((route) =>
        route.name === 'reviews'
          ? {
              ...route,
              forward: [
                { cluster: 'v1', weight: 80 },
                { cluster: 'v2', weight: 20 },
              ],
            }
          : route,
      ),
    }))
    expect(code).toBe(3)
    expect(changes).toMatchObject({ cluster: 0, unroutable: 0, refused: 0 })
    expect(changes.share).toBeGreaterThanOrEqual(requests.reviews)
  })

  it('says which headers the candidate looks at that no record holds', async () => {
    const { code, notes } = await plan((routes, config) => ({
      ...config,
      routes: [
        { name: 'beta', hosts: ['reviews'], when: "'x-beta' in request.headers", forward: [{ cluster: 'v1' }] },
        ...routes,
      ],
    }))
    expect(code).toBe(0)
    expect(notes.filter((note) => !note.includes('cut for room'))).toEqual([
      expect.stringMatching(/^the records do not hold x-beta, which the candidate looks at/),
    ])
  })

  it('replays a file of records, and prints for people', async () => {
    const file = join(scratchFolder(), 'records.json')
    writeFileSync(file, await (await fetch(`${proxy.admin}/records?route=ratings&limit=20`)).text())
    const {
      code,
      requests: replayed,
      changes,
    } = await plan(
      (routes, config) => ({ ...config, routes: routes.filter(({ name }) => name !== 'ratings') }),
      '--records',
      file,
    )
    expect({ code, replayed, lost: changes.unroutable }).toEqual({ code: 4, replayed: 20, lost: 20 })
    const candidate = join(scratchFolder(), 'candidate.yaml')
    writeFileSync(candidate, stringify(proxy.config))
    const told = await run('plan', '-c', candidate, '--records', file)
    expect(told.stdout).toMatch(/^of 20 requests: 0 change cluster, 0 would be refused, 0 unroutable\n/)
    expect(told.code).toBe(0)
  })

  it('refuses a candidate that is wrong and records that are none', async () => {
    const wrong = join(scratchFolder(), 'wrong.yaml')
    writeFileSync(wrong, stringify({ ...proxy.config, routes: [{ name: 'a', when: 'request.size', respond: {} }] }))
    const refused = await run('plan', '-c', wrong, '--admin', admin())
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('is of type int, wanted bool')
    const none = join(scratchFolder(), 'none.json')
    writeFileSync(none, '{"records":[]}')
    const empty = await run('plan', '-c', proxy.file, '--records', none)
    expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining('WEFT_PLAN_RECORDS')])
  })
})

describe('weft suggest', () => {
  it('sets what was learned against what is configured, says where too little is known, and changes nothing', async () => {
    const before = await (await fetch(`${proxy.admin}/config_dump`)).text()
    const { code, stdout } = await run('suggest', '--admin', admin(), '--output', 'json')
    expect(code).toBe(0)
    const { suggestions, patch } = JSON.parse(stdout) as { suggestions: Suggestion[]; patch: string }
    const about = (name: string, key: string) => suggestions.find((one) => one.name === name && one.key.at(-1) === key)
    // Node announces `keep-alive: timeout=60` here.
    expect(about('v1', 'idleTimeout')).toMatchObject({ configured: '90s', suggested: '48s', samples: 1 })
    expect(about('v2', 'idleTimeout')).toMatchObject({ configured: 'learned', suggested: null })
    expect(about('ratings', 'firstByteTimeout')).toMatchObject({ configured: '15s' })
    expect(about('ratings', 'firstByteTimeout')?.samples).toBeGreaterThanOrEqual(1_000)
    expect(about('ratings', 'firstByteTimeout')?.suggested).toMatch(/^\d+(ms|s)$/)
    expect(about('reviews-gold', 'firstByteTimeout')?.reason).toMatch(/^too little is known: \d+ answers of cluster v2/)
    expect(patch).toContain('    keepAlive: { idleTimeout: 48s }')
    expect(await (await fetch(`${proxy.admin}/config_dump`)).text()).toBe(before)
    const text = await run('suggest', '--admin', admin())
    expect(text.stdout).toContain('# nothing was changed')
  })
})
