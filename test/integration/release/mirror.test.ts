/** Dark traffic by the command: copies that no client notices, and the comparison of their answers. */
import { request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { MirrorStats } from '../../../src/native/index.js'
import { ask } from '../../kit/counted-service.js'
import { weft } from '../../kit/weft-process.js'
import { type Started, start, stopAll } from './started.js'

afterEach(stopAll)

async function mirrorOf(started: Started): Promise<MirrorStats> {
  const [mirror] = JSON.parse(await started.admin('/mirror?format=json')) as MirrorStats[]
  if (mirror === undefined) throw new Error('there is no mirror')
  return mirror
}

/** Asks until it is so. */
async function until(started: Started, holds: (mirror: MirrorStats) => boolean): Promise<MirrorStats> {
  const end = performance.now() + 15_000
  for (;;) {
    const mirror = await mirrorOf(started)
    if (holds(mirror)) return mirror
    if (performance.now() > end) throw new Error(`it did not come to that: ${JSON.stringify(mirror)}`)
  }
}

function isMirrored({ marks }: { marks: string[] }): boolean {
  return marks.includes('mirrored')
}

function mirrored(mirror: object) {
  return [{ name: 'reviews', hosts: ['reviews'], forward: [{ cluster: 'v1' }], mirror: [{ cluster: 'v3', ...mirror }] }]
}

describe('a mirror', () => {
  it('gets a copy of its share of the requests, for a host that says so', async () => {
    const started = await start(['v1', 'v3'], mirrored({ percent: 25 }))
    const { port, services, admin, metric } = started
    const { v3 } = services
    if (v3 === undefined) throw new Error('no service')
    v3.answer = (_, response) => response.writeHead(500).end('nobody sees this')
    for (let sent = 0; sent < 40; sent += 1) {
      const answer = await ask(port, 'reviews:80', `/item/${sent}?q=1`, { headers: { 'x-tag': `${sent}` } })
      expect(answer).toMatchObject({ status: 200, body: 'v1' })
    }
    await v3.reached(10)
    expect(services.v1?.requests).toBe(40)
    const { sent, failed, answered } = await until(started, ({ answered }) => answered === 10)
    expect({ sent, failed, answered, came: v3.requests }).toEqual({ sent: 10, failed: 0, answered: 10, came: 10 })
    expect(v3.last?.headers.host).toBe('reviews-shadow:80')
    expect(v3.last?.path).toMatch(/^\/item\/\d+\?q=1$/)
    expect(v3.last?.headers['x-tag']).toBeDefined()
    expect(await metric('weft_mirrored_total')).toBe(10)
    expect(JSON.parse(await admin('/records?limit=100')).records.filter(isMirrored)).toHaveLength(10)
  })

  it('that does not answer neither delays a request nor piles up copies', async () => {
    const started = await start(['v1', 'v3'], mirrored({ maxConcurrent: 3, timeout: '30s' }))
    const { port, services } = started
    if (services.v3 !== undefined) services.v3.answer = () => {}
    const began = performance.now()
    for (let sent = 0; sent < 20; sent += 1) expect((await ask(port, 'reviews')).body).toBe('v1')
    expect(performance.now() - began).toBeLessThan(10_000)
    const { sent, dropped, underWay } = await mirrorOf(started)
    expect({ sent, dropped, underWay }).toEqual({ sent: 3, dropped: 17, underWay: 3 })
  })

  it('leaves out requests whose body is longer than it takes', async () => {
    const started = await start(['v1', 'v3'], mirrored({ maxBodyBytes: 10 }))
    const post = (body: string) =>
      new Promise<number>((resolve, reject) => {
        const sent = request({ port: started.port, method: 'POST', headers: { host: 'reviews' } }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
        })
        sent.on('error', reject)
        sent.write(body.slice(0, 3))
        sent.end(body.slice(3))
      })
    expect(await post('short')).toBe(200)
    expect(await post('longer than ten bytes')).toBe(200)
    const { sent, dropped } = await until(started, ({ answered }) => answered === 1)
    expect({ sent, dropped }).toEqual({ sent: 2, dropped: 1 })
    expect(started.services.v3?.last?.headers['content-length']).toBe('5')
  })
})

describe('a comparison of answers', () => {
  it('finds the one field that changed in a thousand answers, and nothing that differs by itself', async () => {
    const started = await start(['v1', 'v3'], mirrored({ diff: { ignore: ['x-served-by'] } }))
    const { port, services, adminAddress } = started
    let count = 0
    for (const [name, service] of Object.entries(services)) {
      service.answer = ({ url = '' }, response) => {
        count += 1
        const price = name === 'v3' && url === '/item/777' ? 6 : 5
        const body = { item: url, price, id: `id-${count}`, at: new Date().toISOString(), tags: ['a', { seen: count }] }
        response.writeHead(200, { 'content-type': 'application/json', 'x-served-by': name, etag: `"${count}"` })
        response.end(JSON.stringify(body))
      }
    }
    for (let from = 0; from < 1_000; from += 20) {
      const batch = Array.from({ length: 20 }, (_, at) => ask(port, 'reviews', `/item/${from + at}`))
      expect((await Promise.all(batch)).every(({ status }) => status === 200)).toBe(true)
    }
    const { diff } = await until(started, ({ sent, diff, underWay }) => underWay === 0 && diff?.compared === sent)
    expect(diff?.learning).toBe(false)
    expect(diff?.differences).toEqual([
      { field: '$.price', way: 'value', count: 1, example: { request: 'GET /item/777', primary: '5', candidate: '6' } },
    ])
    expect(diff?.noise.map(({ field }) => field)).toEqual(['$.at', '$.id', '$.tags[].seen', 'header etag'])
    const told = await weft('diff-traffic', '--admin', adminAddress)
    expect(told.code).toBe(1)
    expect(told.stdout).toContain('$.price')
  }, 120_000)

  it('says that there is none', async () => {
    const started = await start(['v1', 'v3'], mirrored({ diff: {} }))
    for (const service of Object.values(started.services)) service.answer = (_, response) => response.end('{"a":1}')
    for (let sent = 0; sent < 12; sent += 1) await ask(started.port, 'reviews')
    await until(started, ({ diff }) => diff?.compared === 12)
    const told = await weft('diff-traffic', '--admin', started.adminAddress)
    expect(told.code).toBe(0)
    expect(told.stdout).toContain('no difference')
  })
})
