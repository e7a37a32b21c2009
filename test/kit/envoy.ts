/** A real Envoy with the bootstrap that `weft bootstrap envoy` prints, beside nothing or in front of an application. */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type EnvoyPlane, envoyBootstrap } from '../../src/control/bootstrap/envoy.js'
import { freePort } from './free-port.js'
import { Program } from './program.js'
import { scratchFolder } from './scratch.js'

export interface Envoy {
  program: Program
  outbound: number
  inbound: number
  admin: number
}

/** Resolves when its first configuration is in force, whatever that is. */
export async function startEnvoy(
  controlPort: number,
  plane: Partial<EnvoyPlane>,
  more: readonly string[] = [],
): Promise<Envoy> {
  const [outbound, inbound, admin] = [await freePort(), await freePort(), await freePort()]
  const bootstrap = envoyBootstrap({
    node: 'test',
    service: 'productpage',
    namespace: 'default',
    account: '',
    labels: {},
    region: '',
    zone: '',
    control: `127.0.0.1:${controlPort}`,
    controlTls: null,
    role: 'sidecar',
    outbound: plane.role === 'gateway' ? null : `127.0.0.1:${outbound}`,
    inbound: plane.app === undefined ? null : `127.0.0.1:${inbound}`,
    app: null,
    admin: `127.0.0.1:${admin}`,
    stateOfTheWorld: false,
    onDemandHosts: false,
    zoneAware: false,
    ...plane,
  })
  return { program: await runEnvoy(JSON.stringify(bootstrap), more), outbound, inbound, admin }
}

/** `more`: further words of its command line. */
export async function runEnvoy(bootstrap: string, more: readonly string[] = []): Promise<Program> {
  const file = join(scratchFolder(), 'envoy.json')
  writeFileSync(file, bootstrap)
  const args = [
    '-c',
    file,
    '--disable-hot-restart',
    '--concurrency',
    '1',
    '-l',
    'warning',
    // Access logs are written at once, not each 10 s.
    '--file-flush-interval-msec',
    '50',
    '--component-log-level',
    'config:info,upstream:info',
    ...more,
  ]
  const program = new Program('.peers/envoy/bin/envoy', args)
  await program.says('starting workers')
  return program
}

/** Resolves when somebody listens; each refusal is answered by the next try, within the bound. */
export async function listening(port: number, timeoutMs = 10_000): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs)
  while (!(await accepts(port))) {
    if (signal.aborted) throw new Error(`nobody listens on port ${port} after ${timeoutMs} ms`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })
}
