/**
 * How a control plane comes back: `node dist/bench/control-restart.js [--quick]`.
 *
 * `weft control` as it is run, 1,000 services with 10 endpoints each in its store, 1,000 delta streams that wait up to
 * 500 ms before they connect, as Envoy does. join: each of them has nothing and takes its whole view. restart: the control
 * plane is killed and started; each comes back and says what it kept. CPU is all of the control plane's process.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { keep, registration, workloadKey } from '../../src/control/registry/registration.js'
import { openEmbeddedStore } from '../../src/control/store/embedded.js'
import type { Served } from './restart-streams.js'

const quick = process.argv.includes('--quick')
const [services, endpointsEach, streams] = quick ? [200, 10, 200] : [1_000, 10, 1_000]
const jitterMs = 500
/** The kernel counts CPU in hundredths of a second. */
const tickMs = 10

interface Control {
  child: ChildProcess
  port: number
  /** From the start of the process until it listens. */
  readyMs: number
}

async function fill(folder: string): Promise<void> {
  const store = await openEmbeddedStore({ folder: join(folder, 'store'), nowMs: Date.now })
  for (let service = 0; service < services; service += 1) {
    const changes = Array.from({ length: endpointsEach }, (_, index) => {
      const address = `10.${service >> 8}.${service & 255}.${index + 1}`
      const written = { service: `service-${service}`, address, port: 10_000 + index, ttl: '1h' }
      const kept = keep(registration.parse(written), address, 1)
      return { key: workloadKey(kept), value: { ...kept }, expect: null }
    })
    await store.commit({ author: 'bench', reason: 'register', changes })
  }
  await store.close()
}

async function startControl(data: string, xdsPort: number): Promise<Control> {
  const began = performance.now()
  const entry = join(import.meta.dirname, '../weft.js')
  const profile = process.env.WEFT_BENCH_PROFILE === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', data]
  const options = ['--data', data, '--listen', '127.0.0.1:0', '--xds', `127.0.0.1:${xdsPort}`]
  const child = spawn(process.execPath, [...profile, entry, 'control', ...options])
  let said = ''
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString()
      const ready = /xDS on [\d.]+:(\d+)/.exec(said)
      if (ready !== null) resolve(Number(ready[1]))
    })
    child.once('exit', () => reject(new Error(`the control plane ended: ${said}`)))
  })
  return { child, port, readyMs: performance.now() - began }
}

async function stop({ child }: Control, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

function cpuMs({ child }: Control): { user: number; system: number } {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return { user: Number(fields[11]) * tickMs, system: Number(fields[12]) * tickMs }
}

function residentMiB({ child }: Control, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024
}

/** Resolves when every stream has said that it has all. */
function allServed(clients: ChildProcess): Promise<Served[]> {
  return new Promise((resolve, reject) => {
    const all = new Map<number, Served>()
    clients.once('exit', () => reject(new Error('the streams ended')))
    const hear = (message: unknown) => {
      const served = message as Served
      all.set(served.stream, served)
      if (all.size < streams) return
      clients.off('message', hear)
      resolve([...all.values()])
    }
    clients.on('message', hear)
  })
}

async function report(name: string, control: Control, served: Promise<Served[]>): Promise<void> {
  const began = performance.now()
  const before = cpuMs(control)
  const all = await served
  const ms = performance.now() - began
  const after = cpuMs(control)
  const [user, system] = [after.user - before.user, after.system - before.system]
  const sum = (of: (one: Served) => number) => all.reduce((total, one) => total + of(one), 0)
  const [bytes, resources] = [sum((one) => one.bytes) / streams / 1024, sum((one) => one.resources) / streams]
  const resumed = all.filter((one) => one.resumed).length
  const [now, most] = [residentMiB(control, 'VmRSS'), residentMiB(control, 'VmHWM')].map((mib) => mib.toFixed(0))
  console.log(
    `${name}: listens after ${control.readyMs.toFixed(0)} ms (CPU ${before.user + before.system} ms), ${streams} streams (${resumed} resumed) served after ${ms.toFixed(0)} ms with CPU ${user} ms user, ${system} ms system; ${bytes.toFixed(1)} KiB and ${resources} resources a stream; resident ${now} MiB, at most ${most} MiB`,
  )
}

console.log(`load average ${loadavg()[0]?.toFixed(1)}`)
const data = mkdtempSync(join(tmpdir(), 'weft-bench-'))
await fill(data)
let control = await startControl(data, 0)
const { port } = control
const clients = fork(join(import.meta.dirname, 'control-restart-streams.js'), [port, streams, jitterMs].map(String))
await report('join', control, allServed(clients))
await stop(control, process.env.WEFT_BENCH_PROFILE === undefined ? 'SIGKILL' : 'SIGTERM')
control = await startControl(data, port)
await report('restart', control, allServed(clients))
clients.disconnect()
await once(clients, 'exit')
await stop(control, 'SIGTERM')
if (process.env.WEFT_BENCH_PROFILE === undefined) rmSync(data, { recursive: true, force: true })
else console.log(`profiles in ${data}`)
