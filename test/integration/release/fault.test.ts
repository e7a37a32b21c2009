/** Fault injection by the command: how many requests meet a fault, what it looks like from outside, and how it ends. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, CountedService, closeServices } from '../../kit/counted-service.js'
import { realAddon } from '../../kit/faulty-threads.js'
import { freePort, WeftProcess, writeConfig } from '../../kit/weft-process.js'

let running: WeftProcess | null = null

afterEach(async () => {
  running?.signal('SIGKILL')
  await running?.ended
  running = null
  await closeServices()
})

interface Started {
  port: number
  file: string
  process: WeftProcess
  service: CountedService
  admin(path: string): Promise<string>
  metric(name: string): Promise<number>
}

async function start(fault: object, route: object = {}): Promise<Started> {
  const service = await CountedService.start('ratings')
  const [port, adminPort] = [await freePort(), await freePort()]
  const file = writeConfig({
    admin: { address: `127.0.0.1:${adminPort}` },
    workers: 2,
    listeners: [{ name: 'outbound', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 } }],
    routes: [{ name: 'drill', hosts: ['ratings'], forward: [{ cluster: 'ratings' }], fault, ...route }],
    clusters: [{ name: 'ratings', endpoints: [`127.0.0.1:${service.port}`] }],
  })
  const process = new WeftProcess(['run', '-c', file], { WEFT_ADDON: realAddon })
  running = process
  await process.says(' ready in ')
  const admin = async (path: string) => (await fetch(`http://127.0.0.1:${adminPort}${path}`)).text()
  const metric = async (name: string) => {
    const line = (await admin('/stats/prometheus')).split('\n').find((line) => line.startsWith(`${name} `))
    return Number(line?.split(' ').at(-1))
  }
  return { port, file, process, service, admin, metric }
}

async function record(admin: Started['admin'], query: string) {
  const { records } = JSON.parse(await admin(`/records?limit=1${query}`))
  return records[0] as { id: string; flag: string; marks: string[]; status: number }
}

describe('a fault', () => {
  it('answers as many of the requests as it says, in the place of the service, and says that it is a drill', async () => {
    const { port, admin, metric, service, process } = await start({ abort: { status: 418, percent: 10 } })
    await process.says('faults are injected until they are removed')
    const answers = []
    for (let sent = 0; sent < 400; sent += 1) answers.push(await ask(port, 'ratings'))
    const injected = answers.filter(({ status }) => status === 418)
    expect(Math.abs(injected.length - 40)).toBeLessThanOrEqual(2)
    expect(service.requests).toBe(400 - injected.length)
    expect(injected[0]?.body).toContain('this is a drill')
    expect(await metric('weft_faults_injected_total')).toBe(injected.length)
    expect(await record(admin, '&status=418')).toMatchObject({ flag: 'FI', marks: ['fault-aborted'] })
  })

  it('lets requests wait, which record and `why` say', async () => {
    const { port, admin } = await start({ delay: { fixed: '300ms', percent: 100 } })
    const began = performance.now()
    expect((await ask(port, 'ratings')).body).toBe('ratings')
    expect(performance.now() - began).toBeGreaterThanOrEqual(299)
    const { id } = await record(admin, '')
    expect(await admin(`/why/${id}`)).toContain('let the request wait')
    expect(await record(admin, '')).toMatchObject({ flag: 'DI', marks: ['fault-delayed'], status: 200 })
  })

  it('lets the answer trickle', async () => {
    const { port, admin, service } = await start({ throughput: { bytesPerSecond: 20_000, percent: 100 } })
    service.answer = (_, response) => response.end('x'.repeat(10_000))
    const began = performance.now()
    const { body, headers } = await ask(port, 'ratings')
    const took = performance.now() - began
    expect(body.length).toBe(10_000)
    expect(headers['content-length']).toBe('10000')
    expect(took).toBeGreaterThanOrEqual(490)
    expect(took).toBeLessThan(3_000)
    expect(await record(admin, '')).toMatchObject({ flag: '-', marks: ['fault-throttled'] })
  })

  it('ends by itself when its time to live is over, though the configuration was read again meanwhile', async () => {
    const { port, file, admin, process, service } = await start({ abort: { status: 503 }, ttl: '1500ms' })
    const began = performance.now()
    expect((await ask(port, 'ratings')).status).toBe(503)
    const { id } = await record(admin, '')
    expect(await admin(`/why/${id}`)).toMatch(/fault: 100 % are answered 503; for [12] s more/)
    // Another change does not prolong it.
    writeFileSync(file, readFileSync(file, 'utf8').replace('"workers":2', '"drain":{"deadline":"1s"},"workers":2'))
    await process.says('reloaded')
    await process.says('a fault is over')
    expect(performance.now() - began).toBeLessThan(4_000)
    expect(await ask(port, 'ratings')).toMatchObject({ status: 200, body: 'ratings' })
    expect(service.requests).toBe(1)
    expect(await record(admin, '')).toMatchObject({ flag: '-', marks: ['fault-over'] })
  })
})
