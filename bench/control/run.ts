/**
 * How fast the control plane distributes, over real gRPC streams: `node dist/bench/control.js [--quick]`.
 *
 * apply-100: a route changes, 100 streams; from the change to each stream's routes, the debounce of 100 ms included.
 * hosts-1000: a route changes, 1,000 services; what each stream is sent for it, with all hosts and with hosts on demand.
 * endpoint-1000: an endpoint comes, 1,000 services of 10 endpoints, 1,000 streams; from the change to the last stream.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { typeUrls } from '../../src/control/compile/xds/resources.js'
import { startXdsServer } from '../../src/control/xds/server.js'
import { MemoryMesh, workload } from '../../test/kit/mesh-source.js'
import type { Taken } from './streams.js'

const quick = process.argv.includes('--quick')

interface Rig {
  mesh: MemoryMesh
  /** Milliseconds from now to each stream's response of a type for what `change` made, and what it took. */
  measure(type: string, change: () => number): Promise<{ ms: number[]; cpuMs: number; bytes: number }>
  joinedMs: number
  close(): Promise<void>
}

async function rig(services: number, endpointsEach: number, streams: number, asked?: string): Promise<Rig> {
  const mesh = new MemoryMesh()
  const workloads = Array.from({ length: services }, (_, service) =>
    Array.from({ length: endpointsEach }, (_, index) =>
      workload(`service-${service}`, 10_000 + index, {
        id: `w-${service}-${index}`,
        address: `10.${service >> 8}.${service & 255}.${index + 1}`,
      }),
    ),
  )
  mesh.register(...workloads.flat())
  const control = await startXdsServer({ source: mesh, address: '127.0.0.1:0' })
  const began = process.hrtime.bigint()
  const clients = fork(join(import.meta.dirname, 'control-streams.js'), [
    ...[String(control.port), String(streams)],
    ...(asked === undefined ? [] : [asked]),
  ])
  const last = asked === undefined ? typeUrls.routes : typeUrls.virtualHosts
  await allTake(clients, streams, (taken) => taken.type === last && taken.bytes > 0)
  const joinedMs = Number(process.hrtime.bigint() - began) / 1e6
  return {
    mesh,
    joinedMs,
    async measure(type, change) {
      await control.settled(mesh.current().revision, 60_000)
      const cpu = process.cpuUsage()
      const began = process.hrtime.bigint()
      const revision = change()
      const taken = await allTake(clients, streams, (one) => one.type === type && one.revision >= revision)
      await control.settled(revision, 60_000)
      const { user, system } = process.cpuUsage(cpu)
      const bytes = taken.reduce((sum, one) => sum + one.bytes, 0)
      return { ms: taken.map(({ atNs }) => Number(BigInt(atNs) - began) / 1e6), cpuMs: (user + system) / 1000, bytes }
    },
    async close() {
      clients.disconnect()
      await once(clients, 'exit')
      await control.close()
    },
  }
}

/** Resolves with the first matching response of every stream. */
function allTake(clients: ChildProcess, streams: number, matches: (taken: Taken) => boolean): Promise<Taken[]> {
  return new Promise((resolve, reject) => {
    const first = new Map<number, Taken>()
    const ended = () => reject(new Error('the streams ended'))
    const hear = (message: unknown) => {
      const taken = message as Taken
      if (!matches(taken) || first.has(taken.stream)) return
      first.set(taken.stream, taken)
      if (first.size < streams) return
      clients.off('message', hear)
      clients.off('exit', ended)
      resolve([...first.values()])
    }
    clients.on('message', hear)
    clients.once('exit', ended)
  })
}

function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

const route = (weight: number) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: service-1 }]
  rules: [{ backendRefs: [{ name: service-2, port: 1, weight: ${weight} }, { name: service-3, port: 1, weight: 100 }] }]
`

async function applyTo100(): Promise<void> {
  const rounds = quick ? 10 : 40
  const { mesh, measure, close } = await rig(100, 10, 100)
  const all: number[] = []
  for (let round = 1; round <= rounds; round += 1)
    all.push(...(await measure(typeUrls.routes, () => mesh.apply(route(round)))).ms)
  const [p50, p99, max] = [percentile(all, 0.5), percentile(all, 0.99), Math.max(...all)].map((ms) => ms.toFixed(0))
  console.log(`apply-100: p50 ${p50} ms, p99 ${p99} ms, max ${max} ms over ${rounds} changes (aim: p99 ≤ 500 ms)`)
  await close()
}

async function hostsOf1000(): Promise<void> {
  const streams = 10
  for (const [name, type, asked] of [
    ['all hosts', typeUrls.routes, undefined],
    ['on demand', typeUrls.virtualHosts, 'service-1'],
  ] as const) {
    const { mesh, measure, close } = await rig(1000, 1, streams, asked)
    const { bytes, cpuMs } = await measure(type, () => mesh.apply(route(1)))
    console.log(`hosts-1000, ${name}: ${bytes / streams} bytes a stream for one route, CPU ${cpuMs.toFixed(0)} ms`)
    await close()
  }
}

async function endpointTo1000(): Promise<void> {
  const [services, streams, rounds] = quick ? [200, 200, 3] : [1000, 1000, 5]
  const { mesh, measure, joinedMs, close } = await rig(services, 10, streams)
  console.log(`endpoint-${streams}: ${streams} streams joined in ${(joinedMs / 1000).toFixed(1)} s`)
  for (let round = 1; round <= rounds; round += 1) {
    const change = () => mesh.register(workload('service-7', 20_000 + round, { id: `late-${round}` }))
    const { ms, cpuMs, bytes } = await measure(typeUrls.endpoints, change)
    const memory = (process.memoryUsage().rss / 2 ** 20).toFixed(0)
    const perStream = (bytes / streams).toFixed(0)
    console.log(
      `endpoint-${streams}: last stream after ${Math.max(...ms).toFixed(0)} ms, CPU ${cpuMs.toFixed(0)} ms, ${perStream} bytes a stream, resident ${memory} MiB`,
    )
  }
  await close()
}

console.log(`load average ${loadavg()[0]?.toFixed(1)}`)
await applyTo100()
await hostsOf1000()
await endpointTo1000()
