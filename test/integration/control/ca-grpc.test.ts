/** grpc-go without a proxy, its certificate in files that `weft certificate` keeps good. */
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { listening, startEnvoy } from '../../kit/envoy.js'
import { type IssuingControl, startIssuingControl } from '../../kit/issuing-control.js'
import { endPrograms, outputOf, Program } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

const binary = '.peers/xds-grpc'
const entry = join(process.cwd(), 'dist/weft.js')

let control: IssuingControl | null = null
afterEach(async () => {
  await endPrograms()
  await control?.close()
  control = null
})

const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
`

describe.skipIf(!existsSync(binary))('a gRPC client without a proxy', () => {
  it('goes on with certificates that were renewed when its first has ended', async () => {
    const running = await startIssuingControl({ leaf: '8s', settle: '200ms', clockSkew: '1s' })
    control = running
    const { admin, xdsPort } = running
    const server = new Program(binary, ['serve', 'v1', '127.0.0.1:0'])
    const [, port] = await server.says(/listening on (\d+)/)
    const sidecar = async (node: string) => {
      const started = await startEnvoy(xdsPort, { node, service: 'greeter', app: `127.0.0.1:${port}` })
      const workload = { service: 'greeter', id: node, port: started.inbound, serviceAccount: 'greeter' }
      await admin.ask('POST', '/v1/workloads', workload)
      return started
    }
    const first = await sidecar('greeter-1')
    await running.apply(strict)
    await listening(first.inbound)

    const folder = scratchFolder()
    const address = `127.0.0.1:${xdsPort}`
    const plane = ['--node', 'caller-1', '--service', 'caller', '--control', address, '--certificates', folder]
    const printed = await outputOf(process.execPath, [entry, 'bootstrap', 'grpc', ...plane])
    // The client looks at its files each second, so that the test need not last for minutes.
    const bootstrap = join(scratchFolder(), 'bootstrap.json')
    writeFileSync(bootstrap, printed.replace('"10s"', '"1s"'))
    const agent = ['certificate', '--out', folder, '--control', address, '--account', 'caller', '--', binary, 'call']
    const env = { WEFT_TOKEN: running.adminToken, GRPC_XDS_BOOTSTRAP: bootstrap }
    const client = new Program(process.execPath, [entry, ...agent], { stdin: 'pipe', env, timeoutMs: 30_000 })
    const call = async (count: number): Promise<Record<string, number>> => {
      const from = client.output.length
      client.child.stdin?.write(`greeter:50051 ${count}\n`)
      return JSON.parse((await client.says(/\{.*\}\n/, from))[0] ?? '')
    }
    await client.says('certificate of URI:spiffe://shop.example/ns/default/sa/caller')
    const { validTo } = new X509Certificate(readFileSync(join(folder, 'cert.pem')))
    const answered = AbortSignal.timeout(20_000)
    while ((await call(1)).v1 !== 1) answered.throwIfAborted()
    expect(await call(20)).toEqual({ v1: 20 })

    let from = 0
    for (let seen = 0; seen < 4; seen += 1) {
      const [text = ''] = await client.says(/certificate of URI.*\n/, from)
      from = client.output.indexOf(text, from) + text.length
    }
    expect(Date.now()).toBeGreaterThan(Date.parse(validTo))
    // Another endpoint, so another handshake of the same process.
    const second = await sidecar('greeter-2')
    await listening(second.inbound)
    await admin.ask('DELETE', '/v1/workloads/default/greeter/greeter-1')
    first.program.signal('SIGTERM')
    await first.program.end()
    const again = AbortSignal.timeout(20_000)
    while ((await call(1)).v1 !== 1) again.throwIfAborted()
    expect(await call(20)).toEqual({ v1: 20 })
    client.child.stdin?.end()
    expect(await client.end()).toBe(0)
  }, 90_000)
})
