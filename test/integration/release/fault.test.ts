/** Fault injection by the command: how many requests meet a fault, what it looks like from outside, and how it ends. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, type CountedService } from '../../kit/counted-service.js'
import { type Started, start, stopAll } from './started.js'

afterEach(stopAll)

async function startDrill(fault: object): Promise<Started & { service: CountedService }> {
  const routes = [{ name: 'drill', hosts: ['ratings'], forward: [{ cluster: 'ratings' }], fault }]
  const started = await start(['ratings'], routes)
  const service = started.services.ratings
  if (service === undefined) throw new Error('no service')
  return { ...started, service }
}

describe('a fault', () => {
  it('answers as many of the requests as it says, in the place of the service, and says that it is a drill', async () => {
    const { port, record, metric, service, process } = await startDrill({ abort: { status: 418, percent: 10 } })
    await process.says('faults are injected until they are removed')
    const answers = []
    for (let sent = 0; sent < 400; sent += 1) answers.push(await ask(port, 'ratings'))
    const injected = answers.filter(({ status }) => status === 418)
    expect(Math.abs(injected.length - 40)).toBeLessThanOrEqual(2)
    expect(service.requests).toBe(400 - injected.length)
    expect(injected[0]?.body).toContain('this is a drill')
    expect(await metric('weft_faults_injected_total')).toBe(injected.length)
    expect(await record('&status=418')).toMatchObject({ flag: 'FI', marks: ['fault-aborted'] })
  })

  it('lets requests wait, which record and `why` say', async () => {
    const { port, admin, record } = await startDrill({ delay: { fixed: '300ms', percent: 100 } })
    const began = performance.now()
    expect((await ask(port, 'ratings')).body).toBe('ratings')
    expect(performance.now() - began).toBeGreaterThanOrEqual(299)
    const { id } = await record()
    expect(await admin(`/why/${id}`)).toContain('let the request wait')
    expect(await record()).toMatchObject({ flag: 'DI', marks: ['fault-delayed'], status: 200 })
  })

  it('lets the answer trickle', async () => {
    const { port, record, service } = await startDrill({ throughput: { bytesPerSecond: 20_000, percent: 100 } })
    service.answer = (_, response) => response.end('x'.repeat(10_000))
    const began = performance.now()
    const { body, headers } = await ask(port, 'ratings')
    const took = performance.now() - began
    expect(body.length).toBe(10_000)
    expect(headers['content-length']).toBe('10000')
    expect(took).toBeGreaterThanOrEqual(490)
    expect(took).toBeLessThan(3_000)
    expect(await record()).toMatchObject({ flag: '-', marks: ['fault-throttled'] })
  })

  it('ends by itself when its time to live is over, though the configuration was read again meanwhile', async () => {
    const { port, file, admin, record, process, service } = await startDrill({ abort: { status: 503 }, ttl: '1500ms' })
    const began = performance.now()
    expect((await ask(port, 'ratings')).status).toBe(503)
    const { id } = await record()
    expect(await admin(`/why/${id}`)).toMatch(/fault: 100 % are answered 503; for [12] s more/)
    // Another change does not prolong it.
    writeFileSync(file, readFileSync(file, 'utf8').replace('"workers":2', '"drain":{"deadline":"1s"},"workers":2'))
    await process.says('reloaded')
    await process.says('a fault is over')
    expect(performance.now() - began).toBeLessThan(4_000)
    expect(await ask(port, 'ratings')).toMatchObject({ status: 200, body: 'ratings' })
    expect(service.requests).toBe(1)
    expect(await record()).toMatchObject({ flag: '-', marks: ['fault-over'] })
  })
})
