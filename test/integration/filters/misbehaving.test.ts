/**
 * Filters that throw, reject, answer nonsense, never return, eat memory or end their thread, in each phase, in place and
 * in the pool: their own requests meet their policy, no other request notices.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeUpstreams, type Received, Upstream } from '../../kit/http-upstream.js'
import {
  type Misdeed,
  misdeeds,
  phases,
  worseMisdeeds,
  writeMisbehavingFilters,
} from '../../kit/misbehaving-filters.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

let proxy: ProxyProcess
const client = new Agent({ connections: 64 })
const policies = ['open', 'closed'] as const
const places = ['place', 'pool'] as const

interface Case {
  runIn: (typeof places)[number]
  onFailure: (typeof policies)[number]
  phase: (typeof phases)[number]
  misdeed: Misdeed
}

const pathOf = ({ runIn, onFailure, phase, misdeed }: Case) =>
  `/${runIn}/${onFailure}/${phase}/${misdeed.replaceAll(' ', '-')}`

/** In a pool a promise is no misdeed, and each of the worse ones is. */
const cases = places.flatMap((runIn) =>
  policies.flatMap((onFailure) =>
    phases.flatMap((phase) =>
      [...misdeeds, ...(runIn === 'pool' ? worseMisdeeds : [])].map((misdeed) => ({
        runIn,
        onFailure,
        phase,
        misdeed,
      })),
    ),
  ),
)

beforeAll(async () => {
  const upstream = await Upstream.start()
  const folder = writeMisbehavingFilters()
  const routes = cases.map((each, index) => {
    const { runIn, onFailure, phase, misdeed } = each
    const budget = runIn === 'pool' ? { timeBudget: misdeed === 'eat memory' ? '5s' : '50ms' } : {}
    const filter = { module: join(folder, `${phase}.mjs`), options: { misdeed }, runIn, onFailure, ...budget }
    const path = { prefix: pathOf(each) }
    const rewrite = { path: '/hash' }
    return { name: `r${index}`, matches: [{ path }], forward: [{ cluster: 'app' }], rewrite, filters: [filter] }
  })
  const good = { module: join(folder, 'good.mjs'), runIn: 'pool', timeBudget: '5s' }
  const steady = {
    ...{ name: 'steady', matches: [{ path: { prefix: '/steady' } }], rewrite: { path: '/hash' } },
    ...{ forward: [{ cluster: 'app' }], filters: [good] },
  }
  proxy = await ProxyProcess.start(upstream.address, {
    config: { routes: [...routes, steady], filterPool: { maxHeap: '32MiB' } },
  })
}, 60_000)

afterAll(async () => {
  await client.close()
  await endPrograms()
  await closeUpstreams()
})

async function ask(path: string) {
  const { statusCode, headers, body } = await request(`${proxy.url}${path}`, {
    ...{ method: 'POST', body: 'a body', dispatcher: client },
  })
  return { status: statusCode, headers, text: await body.text() }
}

async function why(headers: IncomingHttpHeaders): Promise<string> {
  return (await fetch(`${proxy.admin}/why/${headers['x-request-id']}`)).text()
}

/** Sends requests of others one after the other until told to stop; returns how many there were and what failed. */
function others() {
  let over = false
  const failed: string[] = []
  const loop = async () => {
    let sent = 0
    for (; !over; sent += 1) {
      const { status, text, headers } = await ask('/steady')
      const received = status === 200 ? (JSON.parse(text) as Received) : null
      if (received?.headers['x-good'] !== 'yes' || received.bytes !== 6) failed.push(`${status} ${await why(headers)}`)
    }
    return sent
  }
  const loops = Promise.all([loop(), loop(), loop()])
  return async () => {
    over = true
    const sent = (await loops).reduce((sum, count) => sum + count)
    return { sent, failed }
  }
}

describe('a filter that misbehaves', () => {
  it.each(cases)('$runIn, $onFailure: $misdeed in $phase', async (each) => {
    const { status, headers, text } = await ask(pathOf(each))
    if (each.onFailure === 'open') {
      expect(status).toBe(200)
      expect((JSON.parse(text) as Received).bytes).toBe(6)
    } else {
      expect(status).toBe(500)
      expect(text).toContain(`bad-${each.phase}`)
      expect(headers['proxy-status']).toContain('proxy_internal_error')
    }
  })

  it('costs no other request, of the pool or not, while many misbehave at once', { timeout: 120_000 }, async () => {
    const bad = cases.filter(({ phase }) => phase === 'onRequest')
    const end = others()
    for (let round = 0; round < 2; round += 1) {
      const statuses = await Promise.all(bad.map(async (each) => (await ask(pathOf(each))).status))
      expect(statuses).toEqual(bad.map(({ onFailure }) => (onFailure === 'open' ? 200 : 500)))
    }
    const { sent, failed } = await end()
    expect(failed).toEqual([])
    expect(sent).toBeGreaterThan(10)
  })

  it('is told in the record of its request', async () => {
    const { headers } = await ask(pathOf({ runIn: 'pool', onFailure: 'closed', phase: 'onRequest', misdeed: 'spin' }))
    const told = await why(headers)
    expect(told).toContain('the filter `bad-onRequest` failed')
    expect(told).toMatch(/timeBudget of 50 ms|it is suspended/)
  })
})
