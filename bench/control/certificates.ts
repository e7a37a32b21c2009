/**
 * How many certificates the authority gives on one core: `node dist/bench/certificates.js [--quick]`.
 *
 * A control plane as it is run, held to one core, over plain gRPC; 16 connections that are kept, 4 requests on each at a
 * time, each with a key of its own, made before. CPU is all of the process's, its signing threads included; one CSR is a
 * token checked, a signature checked, a certificate signed, a line in the ledger and one in the audit log.
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

/** Milliseconds of each request. */
async function load({ port, token }: Control, requests: string[]): Promise<number[]> {
  const { path, requestSerialize, responseDeserialize } = certificateMethods.createCertificate
  const proof = new Metadata()
  proof.set('authorization', `Bearer ${token}`)
  const times: number[] = []
  const ask = (client: Client, csr: string) => {
    const metadata = { namespace: 'default', account: `account-${times.length % 100}` }
    const message = create(IstioCertificateRequestSchema, { csr, metadata })
    const began = performance.now()
    return new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, proof, (error) => {
        times.push(performance.now() - began)
        if (error === null) resolve()
        else reject(error)
      })
    })
  }
  const line = async (client: Client) => {
    for (let csr = requests.pop(); csr !== undefined; csr = requests.pop()) await ask(client, csr)
  }
  const clients = Array.from({ length: connections }, () => {
    return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  })
  await Promise.all(clients.flatMap((client) => Array.from({ length: inFlight }, () => line(client))))
  for (const client of clients) client.close()
  return times
}

const makeRequests = (length: number) =>
  Array.from({ length }, () => (JSON.parse(loadAddon().createRequest()) as { request: string }).request)

const percentile = (sorted: number[], share: number) =>
  (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1)

console.log(`load average ${loadavg()[0]?.toFixed(1)}`)
const control = await startControl()
try {
  await load(control, makeRequests(500))
  const requests = makeRequests(count)
  const [cpu, began] = [cpuMs(control.pid), performance.now()]
  const times = (await load(control, requests)).sort((one, other) => one - other)
  const seconds = (performance.now() - began) / 1_000
  const cpuEach = ((cpuMs(control.pid) - cpu) / count) * 1_000
  const rate = (count / seconds).toFixed(0)
  console.log(
    `csr: ${rate}/s, ${cpuEach.toFixed(0)} µs CPU each, so ${(1e6 / cpuEach).toFixed(0)}/s on a whole core (aim: ${aim}); p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`,
  )
} finally {
  control.close()
}
