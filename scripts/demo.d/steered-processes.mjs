// The processes of `scripts/demo --with envoy`: a control plane with an authority of its own, and beside each application
// a real Envoy with the bootstrap that `weft bootstrap envoy` prints.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { answering, ended, freePorts } from './processes.mjs'
import { local } from './shop.mjs'
import { trustDomain } from './steered-shop.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const weft = join(root, 'dist/weft.js')
const envoy = join(root, '.peers/envoy/bin/envoy')

/** Starts everything; `said` gets each line that tells of progress. */
export async function startSteered(workloads, folder, said) {
  const children = []
  const end = async () => {
    for (const child of children.toReversed()) await ended(child)
  }
  try {
    const control = await startControl(folder, children)
    said(`control plane: ${control.url}, data planes at ${control.xds}`)
    const ports = new Map()
    for (const workload of workloads.toReversed()) {
      const own = await freePorts()
      ports.set(workload.name, own)
      await startWorkload(workload, own, { control, folder, children })
      said(`${workload.name}: ${own.app} behind its Envoy ${own.inbound}`)
    }
    const edge = await freePorts()
    ports.set('edge', edge)
    const gateway = ['--node', 'edge', '--service', 'edge', '--gateway', '--admin', local(edge.admin)]
    await startEnvoy('edge', gateway, { control, folder, children })
    said('edge: an Envoy as gateway')
    return { ...control, ports, end }
  } catch (error) {
    await end()
    throw error
  }
}

async function startControl(folder, children) {
  const data = join(folder, 'control')
  const listen = ['--listen', '127.0.0.1:0', '--xds', '127.0.0.1:0', '--trust-domain', trustDomain]
  const child = launch('control', process.execPath, [weft, 'control', '--data', data, '--authority', ...listen], {})
  children.push(child)
  const [, url, xds] = await says(child, /ready in \d+ ms: (\S+), xDS on (\S+),/)
  const token = readFileSync(join(data, 'admin.token'), 'utf8').trim()
  const env = { ...process.env, WEFT_SERVER: url, WEFT_TOKEN: token, XDG_CONFIG_HOME: folder }
  return { url, xds, token, run: (...args) => output([weft, ...args], env) }
}

async function startWorkload({ name, service, version, command, env }, own, { control, folder, children }) {
  const [program, ...args] = command
  const settings = { PORT: own.app, OUTBOUND: `http://${local(own.outbound)}`, VERSION: version, ...env }
  children.push(launch(name, program, args, settings))
  await answering(own.app)
  const addresses = ['outbound', 'inbound', 'app', 'admin'].flatMap((door) => [`--${door}`, local(own[door])])
  const node = ['--node', name, '--service', service, '--label', `version=${version}`]
  await startEnvoy(name, [...node, ...addresses], { control, folder, children })
  const answer = await fetch(`${control.url}/v1/workloads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${control.token}` },
    body: JSON.stringify({ service, port: own.inbound, version, serviceAccount: service, ttl: '1h' }),
  })
  if (answer.status !== 201) throw new Error(`${name} was not registered: ${await answer.text()}`)
}

async function startEnvoy(name, options, { control, folder, children }) {
  const { code, stdout, stderr } = await control.run('bootstrap', 'envoy', '--control', control.xds, ...options)
  if (code !== 0) throw new Error(`no bootstrap for ${name}: ${stderr}`)
  const file = join(folder, `${name}.json`)
  writeFileSync(file, stdout)
  const args = ['-c', file, '--disable-hot-restart', '--concurrency', '1', '-l', 'warning', '--component-log-level']
  const child = launch(`${name} (Envoy)`, envoy, [...args, 'config:info'], {})
  children.push(child)
  await says(child, /starting workers/)
}

/** In a group of its own: Ctrl-C ends the demo, and the demo ends them. */
function launch(name, program, args, env) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, ...env },
    detached: true,
  })
  child.title = name
  return child
}

/** Resolves with the match in what it says; what it says after that is let go. */
async function says(child, pattern) {
  let lines = ''
  for await (const line of createInterface(child.stderr)) {
    lines += `${line}\n`
    const match = pattern.exec(line)
    if (match === null) continue
    child.stderr.resume()
    return match
  }
  throw new Error(`${child.title} ended:\n${lines}`)
}

/** What a command of `weft` says, to its end. */
async function output(args, env) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      texts[name] += text
    })
  }
  const [code] = await once(child, 'close')
  return { code, ...texts }
}
