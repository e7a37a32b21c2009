// The shop's processes: one proxy per workload, which starts its application, and the edge.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { edgeConfig, local, sidecarConfig } from './shop.mjs'

const weft = fileURLToPath(new URL('../../dist/weft.js', import.meta.url))

/** Starts everything, innermost first; `said` gets each line that tells of progress. Resolves with the proxies by name. */
export async function startShop(workloads, folder, said) {
  const ports = new Map()
  for (const { name } of [...workloads, { name: 'edge' }]) ports.set(name, await freePorts())
  const at = (name) => local(ports.get(name).inbound)
  const children = []
  const end = async () => {
    // The edge first: nothing comes in any more when the services go.
    for (const child of children.toReversed()) await ended(child)
  }
  try {
    for (const workload of workloads.toReversed()) {
      const own = ports.get(workload.name)
      const env = {
        PORT: own.app,
        OUTBOUND: `http://${local(own.outbound)}`,
        VERSION: workload.version,
        ...workload.env,
      }
      const config = sidecarConfig(workload, own, at)
      children.push(await startProxy(workload.name, config, folder, workload.command, env))
      await answering(own.app)
      said(`${workload.name}: ${own.app} behind its sidecar ${own.inbound}`)
    }
    children.push(await startProxy('edge', edgeConfig(ports.get('edge'), at), folder, [], {}))
    said(`edge: http://${at('edge')}`)
  } catch (error) {
    await end()
    throw error
  }
  const admin = Object.fromEntries([...ports].map(([name, { admin }]) => [name, `http://${local(admin)}`]))
  return { url: `http://${at('edge')}`, feed: `ws://${at('edge')}/live/shop`, admin, end, children }
}

async function startProxy(name, config, folder, command, env) {
  const file = join(folder, `${name}.yaml`)
  // JSON is YAML: the file can be given to `weft validate`, `weft explain` and an editor.
  writeFileSync(file, JSON.stringify(config, null, 2))
  const args = [weft, 'run', '-c', file, ...(command.length > 0 ? ['--', ...command] : [])]
  const stdio = ['ignore', 'inherit', 'pipe']
  // In a group of its own: Ctrl-C ends the demo, and the demo ends them, the edge first.
  const child = spawn(process.execPath, args, { stdio, env: { ...process.env, ...env }, detached: true })
  let lines = ''
  for await (const line of createInterface(child.stderr)) {
    lines += `${line}\n`
    if (!line.includes(' ready in ')) continue
    child.stderr.resume()
    return child
  }
  throw new Error(`the proxy of ${name} did not start:\n${lines}`)
}

/** Resolves when something accepts connections there: an application starts when its sidecar is ready. */
export async function answering(port, patienceMs = 10_000) {
  for (const until = performance.now() + patienceMs; performance.now() < until; ) {
    const socket = connect(port, '127.0.0.1')
    const open = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`nothing listens on port ${port}`)
}

const given = new Set()

/** Ports that are free now; their owners take them a moment later, as no outgoing connection can: those begin at 32768. */
export async function freePorts() {
  const ports = {}
  for (const name of ['inbound', 'outbound', 'admin', 'app']) ports[name] = await freePort()
  return ports
}

async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000)
    if (given.has(port)) continue
    given.add(port)
    const probe = createServer().listen(port, '0.0.0.0')
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!free) continue
    await once(probe.close(), 'close')
    return port
  }
}

export async function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}
