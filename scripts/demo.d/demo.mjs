// The demo: two services in two languages, one proxy before both, steady traffic, its rate and latency as it happens.
// With --check it runs for ten seconds without a terminal and tells by its exit code whether any request failed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'hdr-histogram-js'
import { Pool } from 'undici'

const check = process.argv.includes('--check')
const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const requestsPerSecond = 400
const checkMs = 10_000

const folder = mkdtempSync(join(tmpdir(), 'weft-demo-'))
const children = []
let stopping = false

const totals = { requests: 0, failed: 0 }
let window = histogram()
let firstFailure = null

try {
  const [node, python] = await Promise.all([
    startService(process.execPath, here('service.mjs')),
    startService('python3', here('service.py')),
  ])
  const doors = await startProxy({ shop: node, reviews: python })
  await drive(doors)
} finally {
  stopping = true
  await Promise.all(children.map(end))
  rmSync(folder, { recursive: true })
}
if (firstFailure !== null) console.error(`first failure: ${firstFailure}`)
console.log(`demo: ${totals.requests} requests, ${totals.failed} failed`)
process.exit(totals.failed === 0 && totals.requests > 0 ? 0 : 1)

/** Resolves with the port that a service chose. */
async function startService(command, file) {
  const child = spawn(command, [file, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = await once(createInterface(child.stdout), 'line')
  return Number(line.split(' ')[1])
}

/** Starts the proxy with one listener and one cluster per service; resolves with the listeners' ports. */
async function startProxy(services) {
  const doors = {}
  for (const name of Object.keys(services)) doors[name] = await freePort()
  const file = join(folder, 'weft.yaml')
  writeFileSync(file, configFor(services, doors))
  const child = spawn(here('../weft'), ['run', '-c', file], { stdio: ['ignore', 'inherit', 'pipe'] })
  children.push(child)
  for await (const line of createInterface(child.stderr)) {
    console.error(line)
    if (line.includes(' ready in ')) break
    if (line.startsWith('error')) throw new Error('the proxy did not start')
  }
  child.stderr.pipe(process.stderr)
  child.once('exit', (code) => {
    if (!stopping) {
      console.error(`the proxy ended with code ${code}`)
      process.exit(1)
    }
  })
  return doors
}

function configFor(services, doors) {
  const names = Object.keys(services)
  return JSON.stringify({
    listeners: names.map((name) => ({
      name,
      address: `127.0.0.1:${doors[name]}`,
      limits: { maxConnections: 1000 },
    })),
    routes: names.map((name) => ({ name, listeners: [name], forward: [{ cluster: name }] })),
    clusters: names.map((name) => ({ name, endpoints: [`127.0.0.1:${services[name]}`] })),
  })
}

/** The port is free now; the proxy takes it a moment later. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}

/** An open loop: a request is due at its time whether or not earlier ones were answered, and latency counts from then. */
async function drive(doors) {
  const pools = Object.values(doors).map((port) => new Pool(`http://127.0.0.1:${port}`, { connections: 32 }))
  const begin = performance.now()
  const open = new Set()
  let due = 0
  let ended = false
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      ended = true
    })
  }
  const screen = setInterval(() => show(performance.now() - begin), 1000)
  while (!ended && !(check && performance.now() - begin >= checkMs)) {
    const elapsed = performance.now() - begin
    for (; due <= (elapsed / 1000) * requestsPerSecond; due += 1) {
      const request = exchange(pools[due % pools.length], due, begin + (due / requestsPerSecond) * 1000)
      open.add(request)
      void request.then(() => open.delete(request))
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await Promise.all(open)
  clearInterval(screen)
  await Promise.all(pools.map((pool) => pool.close()))
}

/** Every fourth request carries a body. */
async function exchange(pool, number, dueAt) {
  totals.requests += 1
  try {
    const upload = number % 4 === 3
    const { statusCode, body } = await pool.request({
      path: `/items/${number}`,
      method: upload ? 'POST' : 'GET',
      body: upload ? 'x'.repeat(1024) : null,
    })
    const { service } = await body.json()
    if (statusCode !== 200 || typeof service !== 'string') throw new Error(`status ${statusCode}`)
    window.recordValue(Math.max(1, Math.round((performance.now() - dueAt) * 1000)))
  } catch (error) {
    totals.failed += 1
    firstFailure ??= error instanceof Error ? error.message : String(error)
  }
}

function histogram() {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
}

/** One line per second; on a terminal it overwrites the one before. */
function show(elapsedMs) {
  const ms = (percentile) => (window.getValueAtPercentile(percentile) / 1000).toFixed(2).padStart(7)
  const line =
    `${String(Math.round(elapsedMs / 1000)).padStart(4)} s  ${String(window.totalCount).padStart(5)} req/s  ` +
    `p50 ${ms(50)} ms  p99 ${ms(99)} ms  ${totals.failed} failed`
  process.stdout.write(process.stdout.isTTY && !check ? `\r\u001b[K${line}` : `${line}\n`)
  window = histogram()
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}
