/** Lanes and overrides by the command: who may say where his own request goes, and what becomes of that. */
import { afterEach, describe, expect, it } from 'vitest'
import { ask } from '../../kit/counted-service.js'
import { start, stopAll } from './started.js'

afterEach(stopAll)

const routes = [
  { name: 'api', hosts: ['reviews'], matches: [{ path: { prefix: '/api' } }], forward: [{ cluster: 'v1' }] },
  { name: 'reviews', hosts: ['reviews'], forward: [{ cluster: 'v1' }] },
  { name: 'staging', hosts: ['reviews'], lane: 'blue-42', forward: [{ cluster: 'v3' }] },
  { name: 'ratings', hosts: ['ratings'], forward: [{ cluster: 'ratings' }] },
]
const names = ['v1', 'v3', 'ratings']

describe('a lane', () => {
  it('takes its own requests to its service and leaves all others alone', async () => {
    const { port, services } = await start(names, routes)
    const blue = { headers: { 'x-weft-lane': 'blue-42' } }
    expect((await ask(port, 'reviews', '/', blue)).body).toBe('v3')
    expect((await ask(port, 'reviews', '/api/x', blue)).body).toBe('v3')
    expect(services.v3?.last?.headers['x-weft-lane']).toBe('blue-42')
    expect((await ask(port, 'ratings', '/', blue)).body).toBe('ratings')
    expect(services.ratings?.last?.headers['x-weft-lane']).toBe('blue-42')
    expect((await ask(port, 'reviews', '/api/x')).body).toBe('v1')
    expect((await ask(port, 'reviews', '/', { headers: { 'x-weft-lane': 'blue' } })).body).toBe('v1')
  })

  it('of a caller from outside is removed and counted', async () => {
    const { port, services, metric, record } = await start(names, routes, { name: 'edge', direction: 'gateway' })
    const sent = { headers: { 'x-weft-lane': 'blue-42', 'l5d-dtab': '/svc/reviews => /cluster/v3' } }
    expect((await ask(port, 'reviews', '/', sent)).body).toBe('v1')
    expect(services.v1?.last?.headers).not.toHaveProperty('x-weft-lane')
    expect(services.v1?.last?.headers).not.toHaveProperty('l5d-dtab')
    expect(await metric('weft_overrides_ignored_total')).toBe(1)
    expect((await record()).marks).toContain('override-ignored')
  })

  it('is named by the header that the listener says', async () => {
    const { port } = await start(names, routes, { overrides: { laneHeader: 'X-Stage' } })
    expect((await ask(port, 'reviews', '/', { headers: { 'x-stage': 'blue-42' } })).body).toBe('v3')
    expect((await ask(port, 'reviews', '/', { headers: { 'x-weft-lane': 'blue-42' } })).body).toBe('v1')
  })
})

describe('an override of one request', () => {
  it('sends it to the cluster or by the route that it names, and tells who asks where it went', async () => {
    const { port, record, services } = await start(names, routes, { overrides: { dtab: true } })
    const by = (dtab: string) => ask(port, 'reviews', '/', { headers: { 'l5d-dtab': dtab, 'l5d-add-context': 'true' } })
    const overridden = await by('/svc/reviews => /cluster/v3')
    expect(overridden.body).toBe('v3')
    expect(overridden.headers['l5d-dst-service']).toBe('/svc/reviews')
    expect(overridden.headers['l5d-dst-client']).toBe(`/cluster/v3/127.0.0.1:${services.v3?.port}`)
    expect((await record()).marks).toContain('overridden')
    expect((await by('/svc/reviews => /svc/x; /svc/x => /cluster/none | /route/ratings')).body).toBe('ratings')
    expect((await by('/svc/ratings => /cluster/v3')).body).toBe('v1')
    expect((await by('/svc => /cluster; /svc/reviews => /cluster/v1')).body).toBe('v1')
  })

  it('that names what is not there, goes round in a circle or cannot be read is refused with its reason', async () => {
    const { port } = await start(names, routes, { overrides: { dtab: true } })
    for (const dtab of ['/svc/reviews => /cluster/none', '/svc/reviews => /svc/reviews', 'nonsense', '/svc =>']) {
      const { status, body } = await ask(port, 'reviews', '/', { headers: { 'l5d-dtab': dtab } })
      expect({ dtab, status }).toEqual({ dtab, status: 400 })
      expect(body).toContain('l5d-dtab')
    }
  })

  it('is not looked at where the listener does not say so', async () => {
    const { port } = await start(names, routes)
    expect((await ask(port, 'reviews', '/', { headers: { 'l5d-dtab': '/svc/reviews => /cluster/v3' } })).body).toBe(
      'v1',
    )
  })
})
