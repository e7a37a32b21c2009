/**
 * The stage of a run: one upstream, and proxies started before it on demand. Scenarios measure on it.
 *
 * A proxy counts as started when it has answered a request that only the upstream can have answered.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { freePort } from '../test/kit/free-port.js'
import { buildLoad, type ClosedResult, type LoadOptions, type OpenResult, runLoad, startUpstream } from './load.js'
import { endProcess, goFirst, type Running, startProcess } from './processes.js'
import type { MeasuredProxy } from './proxies.js'

const PROXY_CORE = 0
const START_LIMIT_MS = 20_000
const RETRY_MS = 2
/** A body length that no proxy makes up by itself. */
const PROBE_BYTES = 77
const WARM_UP_REQUESTS = 20_000

export interface RunningProxy {
  readonly proxy: MeasuredProxy
  readonly pid: number
  readonly process: Running
  /** Its configuration's path. */
  readonly config: string
  /** As weft-load's --addr takes it. */
  readonly address: string
  /** From the command's start to its first answered request. */
  readonly startMillis: number
  readonly end: () => Promise<void>
}

export interface Rig {
  /** Path of weft-load. */
  readonly load: string
  readonly upstreamAddress: string
  /**
   * Requests at a fixed rate. Generator and upstream stand for other machines, so meanwhile nobody on this one makes them
   * wait: what is measured is how long the proxy does.
   */
  readonly openLoad: (options: LoadOptions) => Promise<OpenResult>
  /** Starts a fresh instance; whoever asked for it ends it. Unpinned, it has all cores. */
  readonly start: (proxy: MeasuredProxy, placement?: 'pinned' | 'unpinned') => Promise<RunningProxy>
  /** The warmed-up instance that stays up for the whole scenario. */
  readonly kept: (proxy: MeasuredProxy) => Promise<RunningProxy>
  /** Brings a proxy to its working state: code compiled, upstream connections open. */
  readonly warmUp: (running: RunningProxy) => Promise<void>
  readonly endKept: () => Promise<void>
  readonly close: () => Promise<void>
}

export async function openRig(): Promise<Rig> {
  const load = buildLoad()
  const { upstream, port } = await startUpstream(load)
  const folder = mkdtempSync(`${tmpdir()}/weft-bench-`)
  const keptProxies = new Map<string, RunningProxy>()

  const start: Rig['start'] = (proxy, placement = 'pinned') => startProxy(proxy, placement, port, folder)
  const warmUp = async (running: RunningProxy) => {
    const options = { addr: running.address, connections: 64, seconds: 20, requests: WARM_UP_REQUESTS }
    await runLoad<ClosedResult>(load, 'closed', options)
  }
  const openLoad: Rig['openLoad'] = async (options) => {
    const asBefore = goFirst(upstream.pid)
    try {
      return await runLoad<OpenResult>(load, 'open', options, { onStart: goFirst })
    } finally {
      asBefore()
    }
  }
  const kept = async (proxy: MeasuredProxy) => {
    const known = keptProxies.get(proxy.name)
    if (known) return known
    const running = await start(proxy)
    keptProxies.set(proxy.name, running)
    await warmUp(running)
    return running
  }
  const endKept = async () => {
    await Promise.all([...keptProxies.values()].map((running) => running.end()))
    keptProxies.clear()
  }
  const close = async () => {
    await endKept()
    await endProcess(upstream)
    rmSync(folder, { recursive: true })
  }
  return { load, upstreamAddress: `127.0.0.1:${port}`, openLoad, start, kept, warmUp, endKept, close }
}

async function startProxy(
  proxy: MeasuredProxy,
  placement: 'pinned' | 'unpinned',
  upstreamPort: number,
  folder: string,
): Promise<RunningProxy> {
  const listenPort = await freePort()
  const runDir = `${folder}/${proxy.name}-${listenPort}`
  mkdirSync(runDir)
  const config = `${runDir}/${proxy.template}`
  const template = readFileSync(`bench/peers/${proxy.template}`, 'utf8')
  const values: Record<string, string | number> = {
    LISTEN_PORT: listenPort,
    UPSTREAM_PORT: upstreamPort,
    RUN_DIR: runDir,
    PEERS_DIR: resolve('bench/peers'),
  }
  writeFileSync(
    config,
    template.replace(/LISTEN_PORT|UPSTREAM_PORT|RUN_DIR|PEERS_DIR/g, (word) => String(values[word])),
  )

  proxy.prepare?.(config)
  const begin = performance.now()
  const running = startProcess(proxy.command(config), placement === 'pinned' ? PROXY_CORE : null)
  try {
    await firstAnswer(running, listenPort)
  } catch (cause) {
    await endProcess(running)
    throw new Error(`${proxy.name} did not start: ${running.output() || 'it said nothing'}`, { cause })
  }
  const startMillis = performance.now() - begin
  const end = () => endProcess(running)
  const { pid } = running
  return { proxy, pid, process: running, config, address: `127.0.0.1:${listenPort}`, startMillis, end }
}

/** Asks until the upstream's answer comes through, the proxy ends, or twenty seconds are over. */
async function firstAnswer(running: Running, port: number): Promise<void> {
  const begin = performance.now()
  let ended = false
  void running.ended.then(() => {
    ended = true
  })
  while (performance.now() - begin < START_LIMIT_MS) {
    if (ended) throw new Error('it ended')
    if (await proxies(port)) return
    await after(RETRY_MS)
  }
  throw new Error('no answer in time')
}

/** Whether a request through the proxy reaches the upstream, path and all, and its answer comes back whole. */
function proxies(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: `/bytes/${PROBE_BYTES}`, agent: false }, (answer) => {
      let body = ''
      answer.setEncoding('latin1')
      answer.on('data', (chunk: string) => {
        body += chunk
      })
      answer.on('close', () => resolve(answer.statusCode === 200 && body === 'x'.repeat(PROBE_BYTES)))
    })
    request.setTimeout(1_000, () => request.destroy())
    request.on('error', () => resolve(false))
  })
}
