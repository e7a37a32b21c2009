// A process that starts and ends worker threads with live engine handles, and prints what that left behind as one line
// of JSON. `node endings.mjs HOW COUNT`; HOW is `terminate`, or a list of faults for `faulty-worker.mjs`.
// The client is a process of its own: its sockets would grow this process' memory too.
import { execFileSync, fork } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

const [how, count] = [process.argv[2], Number(process.argv[3])]
const root = fileURLToPath(new URL('../../..', import.meta.url))
const addon = createRequire(import.meta.url)(`${root}dist/weft.node`)

const client = fork(new URL('./client.mjs', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
const upstream = await message(client)
const proxy = addon.createProxy('endings', 1)
const { listeners, rejected } = JSON.parse(addon.apply(proxy, snapshot(upstream)))
if (rejected.length > 0) throw new Error(JSON.stringify(rejected))
client.send(listeners[0].address)

let served = 0
const before = await settled()
while (served < count) await oneLife(served)
const after = await settled()
client.disconnect()
addon.closeProxy(proxy)
process.stdout.write(`${JSON.stringify({ served, before, after })}\n`)

/** The smallest footprint over forty lives: a thread's memory comes and goes by a megabyte, a leak only grows. */
async function settled() {
  const footprints = []
  for (let life = 0; life < 40; life++) {
    await oneLife(life)
    footprints.push(footprint())
  }
  return footprints.reduce((least, next) => (next.rssKib < least.rssKib ? next : least))
}

/** Starts a worker, waits until answers came through it, ends it. */
async function oneLife(round) {
  const faults = how === 'terminate' ? null : how.split(',')
  const file = faults ? new URL('./faulty-worker.mjs', import.meta.url) : new URL(`file://${root}dist/worker.js`)
  const worker = new Worker(file, { resourceLimits: { maxOldGenerationSizeMb: 48 } })
  const ended = new Promise((resolve) => worker.once('exit', resolve))
  worker.on('error', () => {})
  const serving = message(worker)
  worker.postMessage({ proxy, worker: 0, scripts: [] })
  const { doorPort } = Object(await serving)
  client.send({ doorPort: doorPort ?? null })
  await message(client)
  if (faults) {
    const fault = faults[round % faults.length]
    worker.postMessage({ fault })
    // A loop that spins answers no message; the others end by themselves or are ended.
    if (fault === 'spin' || fault === 'idle') setTimeout(() => worker.terminate(), 20)
  } else {
    await worker.terminate()
  }
  await ended
  addon.detach(proxy, 0)
  served++
}

/** What it says next; one that ends instead is a failure, not something to wait for. */
function message(from) {
  return new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`it ended with ${code} and said nothing`))
    from.once('exit', ended)
    from.once('message', (said) => {
      from.off('exit', ended)
      resolve(said)
    })
  })
}

function footprint() {
  globalThis.gc?.()
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))
  return { descriptors: readdirSync('/proc/self/fd').length, rssKib: Number(kib) }
}

/** What the command of this checkout compiles. */
function snapshot(endpoint) {
  const folder = mkdtempSync(join(tmpdir(), 'weft-endings-'))
  const [config, compiled] = ['weft.yaml', 'snapshot'].map((name) => join(folder, name))
  const limits = { maxConnections: 1000 }
  const cluster = { name: 'app', endpoints: [endpoint], keepAlive: { idleTimeout: '3s' } }
  writeFileSync(
    config,
    JSON.stringify({
      records: { ring: 1024 },
      listeners: [{ name: 'edge', address: '127.0.0.1:0', limits }],
      routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
      clusters: [cluster],
    }),
  )
  execFileSync(process.execPath, [`${root}dist/weft.js`, 'compile', '-c', config, '-o', compiled])
  const bytes = readFileSync(compiled)
  rmSync(folder, { recursive: true })
  return bytes
}
