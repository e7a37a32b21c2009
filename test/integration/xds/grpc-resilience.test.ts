/** grpc-go without a proxy: retries and locality failover in requests that servers counted, and what it lacks by name. */
import { existsSync } from 'node:fs'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { grpcBootstrap } from '../../../src/control/bootstrap/grpc.js'
import { startXdsServer, type XdsServer } from '../../../src/control/xds/server.js'
import { CountedGrpcService, closeGrpcServices } from '../../kit/grpc-service.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'
import { endPrograms, Program } from '../../kit/program.js'

const binary = '.peers/xds-grpc'
let mesh: MemoryMesh
let control: XdsServer
let client: Program

async function call(target: string, count: number | `${number}@once`): Promise<Record<string, number>> {
  const from = client.output.length
  client.child.stdin?.write(`${target}:50051 ${count}\n`)
  const [line = ''] = await client.says(/\{.*\}\n/, from)
  return JSON.parse(line)
}

/** grpc-go has new endpoints and routes in force a moment after it took them. */
async function answers(target: string, wanted: Record<string, number>): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  const [count = 0] = Object.values(wanted)
  while (JSON.stringify(await call(target, count)) !== JSON.stringify(wanted)) signal.throwIfAborted()
}

async function verdict() {
  const [found] = await control.settled(mesh.current().revision, 10_000)
  return found
}

describe.skipIf(!existsSync(binary))("grpc-go's own xDS client", () => {
  beforeAll(async () => {
    mesh = new MemoryMesh()
    control = await startXdsServer({ source: mesh, address: '127.0.0.1:0', quietMs: 10 })
    const bootstrap = grpcBootstrap({
      ...{ node: 'caller-1', service: 'caller', namespace: 'default', account: '', labels: {} },
      ...{ region: 'east', zone: 'east-a', control: `127.0.0.1:${control.port}`, controlTls: null, identity: null },
    })
    const env = { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) }
    client = new Program(binary, ['call'], { stdin: 'pipe', env, timeoutMs: 30_000 })
  })
  afterAll(async () => {
    await endPrograms()
    await control.close()
    closeGrpcServices()
  })

  it('tries again on the status that a route names, as often as it says, and on no other', async () => {
    const flaky = await CountedGrpcService.start('flaky')
    mesh.register(workload('flaky', flaky.port))
    await answers('flaky', { flaky: 1 })
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: flaky }
spec: { hosts: [flaky], http: [{ retries: { attempts: 2, retryOn: unavailable }, route: [{ destination: { host: flaky } }] }] }
`)
    expect(await verdict()).toMatchObject({ state: 'applied', issues: [] })
    // Two of three requests fail: each call is answered by its third try.
    flaky.answer = (request) => (request % 3 === 0 ? null : status.UNAVAILABLE)
    flaky.requests = 0
    const signal = AbortSignal.timeout(10_000)
    while ((await call('flaky', 1)).flaky !== 1) {
      signal.throwIfAborted()
      flaky.requests = 0
    }
    flaky.requests = 0
    expect(await call('flaky', 20)).toEqual({ flaky: 20 })
    expect(flaky.requests).toBe(60)
    flaky.answer = () => status.INTERNAL
    flaky.requests = 0
    expect(await call('flaky', 5)).toEqual({ Internal: 5 })
    expect(flaky.requests).toBe(5)
  })

  it('has no more calls open than http2MaxRequests says, and refuses the rest at once', async () => {
    const narrow = await CountedGrpcService.start('narrow')
    mesh.register(workload('narrow', narrow.port))
    await answers('narrow', { narrow: 1 })
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: narrow }
spec: { host: narrow, trafficPolicy: { connectionPool: { http: { http2MaxRequests: 3 } } } }
`)
    expect(await verdict()).toMatchObject({ state: 'applied', issues: [] })
    const tenAtOnce = async () => {
      let release = () => {}
      narrow.until = new Promise((resolve) => {
        release = resolve
      })
      narrow.requests = 0
      const counts = call('narrow', '10@once')
      // Who is refused is refused without a wait: those that are open are all that come.
      await new Promise((resolve) => setTimeout(resolve, 200))
      release()
      return { counts: await counts, requests: narrow.requests }
    }
    await expect.poll(tenAtOnce).toEqual({ counts: { narrow: 3, Unavailable: 7 }, requests: 3 })
    mesh.delete('DestinationRule', 'narrow')
    await expect.poll(tenAtOnce).toEqual({ counts: { narrow: 10 }, requests: 10 })
  })

  it('keeps to its zone, fails over to the region that is named, and comes back', async () => {
    const places = {
      near: ['east', 'east-a'],
      region: ['east', 'east-b'],
      west: ['west', 'west-a'],
      north: ['north', 'x'],
    }
    const services = new Map<string, CountedGrpcService>()
    const put = (name: keyof typeof places, health: 'healthy' | 'unhealthy') => {
      const [region = '', zone = ''] = places[name]
      mesh.register(workload('local', services.get(name)?.port ?? 0, { region, zone, health }))
    }
    for (const name of Object.keys(places) as (keyof typeof places)[]) {
      services.set(name, await CountedGrpcService.start(name))
      put(name, 'healthy')
    }
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: local }
spec: { host: local, trafficPolicy: { loadBalancer: { localityLbSetting: { failover: [{ from: east, to: west }] } } } }
`)
    expect(await verdict()).toMatchObject({ state: 'applied', issues: [] })
    await answers('local', { near: 20 })
    put('near', 'unhealthy')
    await answers('local', { region: 20 })
    put('region', 'unhealthy')
    await answers('local', { west: 20 })
    put('near', 'healthy')
    await answers('local', { near: 20 })
    expect(services.get('north')?.requests).toBe(0)
  })

  it.each([
    ['outlier detection by errors in a row', 'outlierDetection: { consecutive5xxErrors: 3 }'],
    ['maxRetries', 'connectionPool: { http: { maxRetries: 3 } }'],
    ['connectTimeout', 'connectionPool: { tcp: { connectTimeout: 3s } }'],
    ['a retry budget', 'retryBudget: { percent: 50 }'],
  ])('is told that it lacks %s', async (what, policy) => {
    const revision = mesh.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: flaky }
spec: { host: flaky, trafficPolicy: { ${policy} } }
`)
    const [found] = await control.settled(revision, 10_000)
    expect(found).toMatchObject({
      state: 'refused',
      issues: [{ code: 'WEFT_MESH_UNSUPPORTED', message: expect.stringContaining(`lack ${what};`) }],
    })
    mesh.delete('DestinationRule', 'flaky')
  })

  it('is told that it lacks retries on what gRPC has no status for', async () => {
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: flaky }
spec: { hosts: [flaky], http: [{ retries: { attempts: 2, retryOn: '5xx' }, route: [{ destination: { host: flaky } }] }] }
`)
    expect(await verdict()).toMatchObject({
      state: 'refused',
      issues: [{ code: 'WEFT_MESH_UNSUPPORTED', message: expect.stringContaining('lack retries on 5xx;') }],
    })
  })
})
