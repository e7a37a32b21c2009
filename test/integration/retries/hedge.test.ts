/** A second attempt beside one that takes long: the tail gets shorter, and the load grows by no more than it may. */
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { ask, CountedService, closeServices } from '../../kit/counted-service.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

const slowMs = 400
const hedge = { afterPercentile: 50, minDelay: '20ms', maxExtraPercent: 15 }
const route = { timeout: '5s' }

afterEach(endPrograms)
afterAll(closeServices)

interface Scene {
  services: [CountedService, CountedService]
  proxy: ProxyProcess
}

async function scene(cluster: object, config: object = {}): Promise<Scene> {
  const services: [CountedService, CountedService] = [
    await CountedService.start('one'),
    await CountedService.start('two'),
  ]
  const addresses = services.map(({ port }) => `127.0.0.1:${port}`)
  const proxy = await ProxyProcess.start(addresses, { route, cluster, config })
  return { services, proxy }
}

/** One of ten requests finds a service that takes long; which one it is does not matter. */
function sometimesSlow({ services }: Scene): void {
  let count = 0
  for (const service of services) {
    service.answer = (_, response) => {
      count += 1
      if (count % 10 === 0) setTimeout(() => response.end('late'), slowMs)
      else response.end('soon')
    }
  }
}

async function timed(scene: Scene, count: number, method = 'GET'): Promise<number[]> {
  const times: number[] = []
  for (let index = 0; index < count; index += 1) {
    const began = performance.now()
    expect((await ask(scene.proxy.port, 'app', `/${index}`, { method })).status).toBe(200)
    times.push(performance.now() - began)
  }
  return times.sort((a, b) => a - b)
}

const percentile = (sorted: number[], percent: number) => sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? 0
const received = ({ services }: Scene) => services.reduce((sum, { requests }) => sum + requests, 0)

async function counters({ proxy }: Scene): Promise<Record<string, number>> {
  const page = await (await fetch(`${proxy.admin}/stats/prometheus`)).text()
  const sums: Record<string, number> = {}
  for (const [, name = '', value] of page.matchAll(/^weft_cluster_(hedges\w*)_total\{[^}]*\} (\d+)$/gm)) {
    sums[name] = (sums[name] ?? 0) + Number(value)
  }
  return sums
}

/** Enough fast answers for the cluster's usual latency to be known. */
async function learnt(scene: Scene): Promise<void> {
  await timed(scene, 60)
  // The percentile is taken anew at most every quarter of a second.
  await expect.poll(() => ask(scene.proxy.port, 'app').then(({ status }) => status)).toBe(200)
  const until = performance.now() + 300
  while (performance.now() < until) await ask(scene.proxy.port, 'app')
}

test('the slow tenth of the answers is overtaken, and the services get no more than the share that is allowed', async () => {
  const hedged = await scene({ hedge })
  const plain = await scene({})
  for (const each of [hedged, plain]) {
    await learnt(each)
    sometimesSlow(each)
  }
  const before = received(hedged)
  const [with_, without] = [await timed(hedged, 200), await timed(plain, 200)]
  expect(percentile(without, 95)).toBeGreaterThan(slowMs - 20)
  expect(percentile(with_, 95)).toBeLessThan(slowMs / 2)
  const total = received(hedged)
  const extra = total - before - 200
  expect(extra).toBeGreaterThan(10)
  // Over the life of the cluster, counted at the servers: the requests of the first phase have paid in, too.
  const counts = await counters(hedged)
  const requests = total - (counts.hedges ?? 0)
  expect((counts.hedges ?? 0) / requests).toBeLessThanOrEqual(0.15)
  expect(counts.hedges_won).toBeGreaterThan(10)
}, 120_000)

test('when everything is slow no more than the share goes out, on two workers', async () => {
  const slow = await scene({ hedge: { ...hedge, maxExtraPercent: 10 } }, { workers: 2 })
  await learnt(slow)
  for (const service of slow.services) {
    service.answer = (_, response) => setTimeout(() => response.end('late'), 100)
  }
  const asked = Array.from({ length: 300 }, (_, index) => ask(slow.proxy.port, 'app', `/${index}`))
  expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([200]))
  const { hedges = 0, hedges_refused: refused = 0 } = await counters(slow)
  const total = received(slow)
  expect(hedges).toBeGreaterThan(0)
  expect(refused).toBeGreaterThan(0)
  // Exact: what the servers got beyond the requests.
  expect(hedges / (total - hedges)).toBeLessThanOrEqual(0.1)
}, 60_000)

describe('a request', () => {
  let scened: Scene

  async function ready(cluster: object = {}): Promise<[CountedService, CountedService]> {
    scened = await scene({ hedge: { ...hedge, maxExtraPercent: 100 }, ...cluster })
    await learnt(scened)
    return scened.services
  }

  /** The service that is asked first hangs, the other one does as the test says. */
  function firstHangs(services: CountedService[], other: CountedService['answer']): void {
    let asked = 0
    for (const service of services) {
      service.answer = (request, response) => {
        asked += 1
        if (asked > 1) other(request, response)
      }
    }
  }

  test('whose first attempt hangs is answered by the second, and the record shows both', async () => {
    const services = await ready()
    firstHangs(services, (_, response) => response.end('second'))
    const answered = await ask(scened.proxy.port, 'app', '/both')
    expect(answered.body).toBe('second')
    const id = await requestId('/both')
    const why = (await (await fetch(`${scened.proxy.admin}/why/${id}?format=json`)).json()) as {
      attempts: { status: number; failure: string | null; upstream: string }[]
      record: { marks: string[] }
    }
    expect(why.attempts.map(({ status, failure }) => [status, failure])).toEqual([
      [0, 'the attempt beside it was answered first'],
      [200, null],
    ])
    expect(new Set(why.attempts.map(({ upstream }) => upstream)).size).toBe(2)
    expect(why.record.marks).toEqual(expect.arrayContaining(['hedged', 'hedge-won']))
  }, 30_000)

  async function requestId(path: string): Promise<string> {
    const list = (await (await fetch(`${scened.proxy.admin}/records`)).json()) as {
      records: { id: string; path: string }[]
    }
    const found = list.records.find((record) => record.path === path)
    if (found === undefined) throw new Error(`no record of ${path}`)
    return found.id
  }

  test('whose second attempt fails waits for the first', async () => {
    const services = await ready()
    let asked = 0
    for (const service of services) {
      service.answer = (_, response) => {
        asked += 1
        if (asked === 1) setTimeout(() => response.end('first'), slowMs)
        else response.writeHead(503).end('no')
      }
    }
    const answered = await ask(scened.proxy.port, 'app')
    expect([answered.status, answered.body, asked]).toEqual([200, 'first', 2])
  }, 30_000)

  test('whose first attempt fails after the second went out waits for the second', async () => {
    const services = await ready()
    let asked = 0
    for (const service of services) {
      service.answer = (request, response) => {
        asked += 1
        if (asked === 1) setTimeout(() => request.socket.destroy(), 100)
        else setTimeout(() => response.end('second'), slowMs)
      }
    }
    const answered = await ask(scened.proxy.port, 'app')
    expect([answered.status, answered.body, asked]).toEqual([200, 'second', 2])
  }, 30_000)

  test('that may not be repeated goes out once', async () => {
    const services = await ready()
    let asked = 0
    for (const service of services) {
      service.answer = (_, response) => {
        asked += 1
        setTimeout(() => response.end('once'), slowMs)
      }
    }
    const answered = await ask(scened.proxy.port, 'app', '/', { method: 'POST' })
    expect([answered.body, asked]).toEqual(['once', 1])
  }, 30_000)
})
