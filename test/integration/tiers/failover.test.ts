/** Failover between two data centres, by priority and by region: one is cut off, its requests move, and they come back. */
import { request } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { DataCentre } from '../../kit/data-centres.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

const open: DataCentre[] = []

afterEach(async () => {
  await endPrograms()
  await Promise.all(open.splice(0).map((centre) => centre.close()))
})

/** Asks again and again until `where` has answered so many times in a row; how long that took, and who failed. */
async function until(url: string, where: string, times: number): Promise<{ ms: number; failed: number[] }> {
  const began = performance.now()
  const failed: number[] = []
  for (let row = 0; row < times && performance.now() - began < 20_000; ) {
    const { statusCode, body } = await request(url)
    const text = await body.text()
    if (statusCode !== 200) failed.push(statusCode)
    row = text === where ? row + 1 : 0
  }
  return { ms: performance.now() - began, failed }
}

describe.runIf(DataCentre.canBeMade())('two data centres', () => {
  it.each([
    ['by priority', { priorities: [0, 1], localityAware: null }],
    ['by region', { priorities: [0, 0], localityAware: { mode: 'off', failover: ['west'] } }],
  ])(
    'stand in for each other %s within five seconds, without a failed request, and back again',
    async (_, how) => {
      const [near = 0, far = 0] = how.priorities
      const east = await DataCentre.open('east', 1, 2)
      const west = await DataCentre.open('west', 2, 2)
      open.push(east, west)
      const endpoint = (centre: DataCentre, region: string, priority: number) =>
        [8080, 8081].map((port) => ({ address: `${centre.address}:${port}`, region, priority }))
      const proxy = await ProxyProcess.start([], {
        config: { node: { region: 'east', zone: 'east-a' } },
        route: { retry: { retries: 2, on: ['connect-failure', 'gateway-error', 'reset'], perTryTimeout: '500ms' } },
        cluster: {
          endpoints: [...endpoint(east, 'east', near), ...endpoint(west, 'west', far)],
          localityAware: how.localityAware,
          connectTimeout: '300ms',
          healthCheck: { protocol: 'http', path: '/', interval: '500ms', timeout: '300ms', unhealthyThreshold: 2 },
          retryBudget: { percent: 100 },
        },
      })
      expect((await until(proxy.url, 'east', 50)).failed).toEqual([])

      east.cut()
      const away = await until(proxy.url, 'west', 200)
      expect(away.failed).toEqual([])
      expect(away.ms).toBeLessThan(5_000)
      await proxy.says(/the first priority is short of healthy endpoints.*cluster=app.*priority 1 takes 100 %, 2 of 2/)
      expect((await (await fetch(`${proxy.admin}/clusters`)).text()).split('\n')).toEqual(
        expect.arrayContaining([
          'app: priority 0 takes 0 %, 0 of 2 healthy',
          'app: priority 1 takes 100 %, 2 of 2 healthy',
        ]),
      )

      east.mend()
      const back = await until(proxy.url, 'east', 50)
      expect(back.failed).toEqual([])
      expect(back.ms).toBeLessThan(5_000)
      await proxy.says(/the first priority has enough healthy endpoints again.*cluster=app/)
      const [app] = (await proxy.stats()).clusters
      expect(app?.counters.weft_cluster_lower_priority_picks_total).toBeGreaterThan(200)
      expect(await proxy.stop()).toBe(0)
    },
    60_000,
  )
})
