/**
 * WebSockets. `sockets-echo`: 100-byte messages that come back, one at a time on each of 64 connections: Weft answers them
 * in a handler, nginx tunnels them to an endpoint. `sockets-carried`: Weft asks the endpoint too. `sockets-idle-9000`:
 * private memory of a WebSocket that is open and silent.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { LOAD_CORE } from '../load.js'
import { cpuSeconds, endProcess, memoryOf, said, startProcess } from '../processes.js'
import type { MeasuredProxy } from '../proxies.js'
import type { Rig, RunningProxy } from '../rig.js'
import { median } from '../statistics.js'
import type { Scenario } from './scenario.js'

const CONNECTIONS = 64
const IDLE = 9_000
const SAMPLE_EVERY_MS = 100
/** For code to be compiled and buffers to have their size. */
const WARM_UP_SECONDS = 1

interface LoadSample {
  messages: number
  open: number
}

/** Proxies without a template take no part. */
type Templates = Readonly<Record<string, string>>

function echoScenario(name: string, summary: string, templates: Templates): Scenario {
  return {
    name,
    summary,
    metrics: [
      { name: 'cpuMicros', title: 'CPU µs/message', digits: 2 },
      { name: 'messagesPerSecond', title: 'messages/s', digits: 0 },
    ],
    full: { rounds: 5, seconds: 6 },
    quick: { rounds: 3, seconds: 2 },
    weftOnlyWhenQuick: false,
    takesPart: (proxy) => proxy.name in templates,
    measure: (rig, proxy, seconds) =>
      onStage(rig, proxy, templates, async (running) => {
        await load(running, CONNECTIONS, WARM_UP_SECONDS, 'echo')
        let before = 0
        const { messages } = await load(running, CONNECTIONS, seconds, 'echo', () => {
          before = cpuSeconds(running.pid)
        })
        return {
          cpuMicros: ((cpuSeconds(running.pid) - before) * 1e6) / messages,
          messagesPerSecond: messages / seconds,
        }
      }),
  }
}

export const socketsEcho = echoScenario(
  'sockets-echo',
  '100-byte WebSocket messages: a handler of Weft’s sends them back, nginx tunnels them to an endpoint that does',
  { weft: 'weft-sockets.yaml', nginx: 'nginx-sockets.conf' },
)

export const socketsCarried = echoScenario(
  'sockets-carried',
  'the same, and Weft too has them answered by the endpoint, message by message',
  { weft: 'weft-carried.yaml', nginx: 'nginx-sockets.conf' },
)

export const socketsIdle: Scenario = {
  name: 'sockets-idle-9000',
  summary: '9,000 silent WebSockets at a handler, growth of private memory without the kernel’s part',
  metrics: [{ name: 'perConnectionKib', title: 'KiB/connection', digits: 2 }],
  full: { rounds: 3, seconds: 3 },
  quick: { rounds: 1, seconds: 1 },
  weftOnlyWhenQuick: true,
  takesPart: (proxy) => proxy.name === 'weft',
  measure: (rig, proxy, seconds) =>
    onStage(rig, proxy, { weft: 'weft-sockets.yaml' }, async (running) => {
      await load(running, CONNECTIONS, WARM_UP_SECONDS, 'idle')
      const before = memoryOf(running.pid).anonKib
      const holding: number[] = []
      let sampling: NodeJS.Timeout | undefined
      const { open } = await load(running, IDLE, seconds, 'idle', () => {
        sampling = setInterval(() => holding.push(memoryOf(running.pid).anonKib), SAMPLE_EVERY_MS)
      }).finally(() => clearInterval(sampling))
      if (open < IDLE) throw new Error(`${IDLE - open} idle WebSockets were closed`)
      return { perConnectionKib: (median(holding) - before) / IDLE }
    }),
}

/** Starts the endpoint, and the proxy before it. */
async function onStage<Result>(
  rig: Rig,
  proxy: MeasuredProxy,
  templates: Templates,
  measure: (running: RunningProxy) => Promise<Result>,
): Promise<Result> {
  const endpoint = startProcess(['node', 'dist/bench/socket-echo.js'], LOAD_CORE)
  try {
    const [, port = ''] = await said(endpoint, /^port (\d+)$/m)
    const prepare = (config: string) => {
      const text = readFileSync(config, 'utf8').replaceAll('ECHO_PORT', port).replaceAll('REPOSITORY', process.cwd())
      writeFileSync(config, text)
    }
    const running = await rig.start({ ...proxy, template: templates[proxy.name] ?? proxy.template, prepare })
    try {
      return await measure(running)
    } finally {
      await running.end()
    }
  } finally {
    await endProcess(endpoint)
  }
}

async function load(
  { address }: RunningProxy,
  connections: number,
  seconds: number,
  kind: 'echo' | 'idle',
  onHolding: () => void = () => {},
): Promise<LoadSample> {
  const port = address.split(':').at(-1) ?? ''
  const words = ['node', 'dist/bench/socket-load.js', port, String(connections), String(seconds), kind]
  const clients = startProcess(words, LOAD_CORE)
  await said(clients, /^holding$/m)
  onHolding()
  await clients.ended
  if (clients.child.exitCode !== 0) throw new Error(`the clients ended badly: ${clients.output()}`)
  return JSON.parse(clients.output().split('\n').at(-1) ?? '') as LoadSample
}
