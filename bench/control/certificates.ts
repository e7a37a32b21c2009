/**
 * How many certificates the authority gives on one core: `node dist/bench/certificates.js [--quick]`.
 *
 * A control plane as it is run, held to one core, over plain gRPC; 16 connections that are kept, each request with a key
 * of its own, made before. CPU is all of the process's, its signing threads included; one CSR is a token checked, a
 * signature checked, a certificate signed, a line in the ledger and one in the audit log, both on the disk before the
 * answer.
 *
 * csr-500: open loop, 500/s, each latency from when the request was meant to leave. csr-full: closed loop, 4 requests on
 * each connection at a time.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { certificateMethods } from '../../src/control/ca/grpc-methods.js'
import { IstioCertificateRequestSchema } from '../../src/control/xds/protos/istio/v1/auth/ca_pb.js'
import { loadAddon } from '../../src/native/index.js'

const count = process.argv.includes('--quick') ? 2_000 : 10_000
const [connections, inFlight] = [16, 4]
const aim = 500
/** The kernel counts CPU in hundredths of a second. */
const tickMs = 10

interface Control {
  pid: number
  port: number
  token: string
  close(): void
}

async function startControl(): Promise<Control> {
  const data = mkdtempSync(join(tmpdir(), 'weft-bench-'))
  const entry = join(import.meta.dirname, '../weft.js')
  const options = ['--data', data, '--listen', '127.0.0.1:0', '--xds', '127.0.0.1:0', '--authority']
  const child = spawn('taskset', ['-c', '0', process.execPath, entry, 'control', ...options])
  const port = await new Promise<number>((resolve, reject) => {
    let said = ''
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString()
      const ready = /xDS on [\d.]+:(\d+)/.exec(said)
      if (ready !== null) resolve(Number(ready[1]))
    })
    child.once('exit', () => reject(new Error(`the control plane ended: ${said}`)))
  })
  const close = () => {
    child.kill('SIGTERM')
    child.once('exit', () => rmSync(data, { recursive: true, force: true }))
  }
  return { pid: child.pid ?? 0, port, token: readFileSync(join(data, 'admin.token'), 'utf8').trim(), close }
}

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * tickMs
}

/** Resolves with the milliseconds since `began`. */
type Ask = (request: string, began: number) => Promise<number>

async function withConnections<Result>({ port, token }: Control, run: (asks: Ask[]) => Promise<Result>) {
  const { path, requestSerialize, responseDeserialize } = certificateMethods.createCertificate
  const proof = new Metadata()
  proof.set('authorization', `Bearer ${token}`)
  const clients = Array.from({ length: connections }, () => {
    return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  })
  let asked = 0
  const asks = clients.map(
    (client): Ask =>
      (csr, began) => {
        asked += 1
        const metadata = { namespace: 'default', account: `account-${asked % 100}` }
        const message = create(IstioCertificateRequestSchema, { csr, metadata })
        return new Promise((resolve, reject) => {
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, proof, (error) => {
            if (error === null) resolve(performance.now() - began)
            else reject(error)
          })
        })
      },
  )
  const result = await run(asks)
  for (const client of clients) client.close()
  return result
}

async function closedLoop(control: Control, requests: string[]): Promise<number[]> {
  const times: number[] = []
  const line = async (ask: Ask) => {
    for (let csr = requests.pop(); csr !== undefined; csr = requests.pop())
      times.push(await ask(csr, performance.now()))
  }
  await withConnections(control, (asks) =>
    Promise.all(asks.flatMap((ask) => Array.from({ length: inFlight }, () => line(ask)))),
  )
  return times
}

function openLoop(control: Control, requests: string[]): Promise<number[]> {
  return withConnections(control, async (asks) => {
    const began = performance.now()
    const times: Promise<number>[] = []
    while (times.length < requests.length) {
      const due = Math.min(requests.length, Math.floor(((performance.now() - began) / 1_000) * aim))
      for (let n = times.length; n < due; n += 1) {
        const ask = asks[n % asks.length]
        if (ask !== undefined) times.push(ask(requests[n] ?? '', began + (n / aim) * 1_000))
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return Promise.all(times)
  })
}

const makeRequests = (length: number) =>
  Array.from({ length }, () => (JSON.parse(loadAddon().createRequest()) as { request: string }).request)

const percentile = (sorted: number[], share: number) =>
  (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1)

async function measure(name: string, control: Control, run: typeof openLoop): Promise<void> {
  const requests = makeRequests(count)
  const [cpu, began] = [cpuMs(control.pid), performance.now()]
  const times = (await run(control, requests)).sort((one, other) => one - other)
  const seconds = (performance.now() - began) / 1_000
  const cpuEach = ((cpuMs(control.pid) - cpu) / count) * 1_000
  const whole = (1e6 / cpuEach).toFixed(0)
  console.log(
    `${name}: ${(count / seconds).toFixed(0)}/s, ${cpuEach.toFixed(0)} µs CPU each, so ${whole}/s on a whole core (aim: ${aim}); p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`,
  )
}

console.log(`load average ${loadavg()[0]?.toFixed(1)}`)
const control = await startControl()
try {
  await closedLoop(control, makeRequests(500))
  await measure('csr-500', control, openLoop)
  await measure('csr-full', control, closedLoop)
} finally {
  control.close()
}
