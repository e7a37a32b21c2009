/**
 * What clients notice of a change: the latencies of a window with the change in it over those of the window before, of
 * the same proxy under the same load. The machine's share is in both, so the ratio holds on a busy machine too.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import { parse } from 'yaml'
import { large } from '../micro/large.js'
import { endProcess, type Running, said, startProcess } from '../processes.js'
import type { Rig, RunningProxy } from '../rig.js'
import { LOAD } from './latency.js'
import type { Scenario } from './scenario.js'

/** The change begins when the load of its window runs. */
const LEAD_MS = 250
const CHANGE_LIMIT_MS = 20_000

/** No peer has a takeover of this kind, and the agent's is another program. */
const takesPart: Scenario['takesPart'] = ({ name }) => name === 'weft'

export const takeover: Scenario = {
  name: 'takeover',
  summary: 'p99 in a window with `weft run --takeover` in it, against the window before; 1,000 requests/s, open loop',
  metrics: [
    { name: 'p99Ratio', title: 'p99 during/before', digits: 2 },
    { name: 'p99Micros', title: 'p99 µs during', digits: 0 },
    { name: 'maxMillis', title: 'longest ms during', digits: 1 },
    { name: 'changeMillis', title: 'takeover ms', digits: 0 },
  ],
  full: { rounds: 9, seconds: 2 },
  quick: { rounds: 5, seconds: 2 },
  weftOnlyWhenQuick: false,
  takesPart,
  measure: async (rig, proxy, seconds) => {
    const running = await rig.start(proxy, 'unpinned')
    let next: Running | undefined
    const change = async () => {
      next = startProcess([...proxy.command(running.config), '--takeover'], null)
      await Promise.race([running.process.ended, said(next, /WEFT_\w+/, CHANGE_LIMIT_MS)])
      if (!/took over/.test(next.output())) throw new Error(`not taken over: ${next.output()}`)
    }
    try {
      return await windows(rig, running, seconds, change)
    } finally {
      if (next !== undefined) await endProcess(next)
      await running.end()
    }
  },
}

export const reload: Scenario = {
  name: 'reload-10k',
  summary: 'the same for reloads of 10,000 routes and 10,000 endpoints, all of them changed',
  metrics: [
    { name: 'maxMillis', title: 'longest ms during', digits: 1 },
    { name: 'maxMillisBefore', title: 'longest ms before', digits: 1 },
    { name: 'p99Ratio', title: 'p99 during/before', digits: 2 },
    { name: 'changeMillis', title: 'reload ms', digits: 0 },
  ],
  full: { rounds: 9, seconds: 4 },
  quick: { rounds: 3, seconds: 4 },
  weftOnlyWhenQuick: false,
  takesPart,
  measure: async (rig, proxy, seconds) => {
    const running = await rig.start(proxy, 'unpinned')
    const own = parse(readFileSync(running.config, 'utf8'))
    const apply = async (turn: number) => {
      const { node, routes, clusters } = large(turn)
      const config = { ...own, node, routes: [...own.routes, ...routes], clusters: [...own.clusters, ...clusters] }
      writeFileSync(`${running.config}.new`, JSON.stringify(config))
      renameSync(`${running.config}.new`, running.config)
      await said(running.process, new RegExp(`reloaded.*generation=${2 + turn}\\b`), CHANGE_LIMIT_MS)
    }
    try {
      await apply(0)
      return await windows(rig, running, seconds, () => apply(1))
    } finally {
      await running.end()
    }
  },
}

/** Two windows of the same load, the second with the change in it. */
async function windows(rig: Rig, running: RunningProxy, seconds: number, change: () => Promise<void>) {
  await rig.warmUp(running)
  const load = () => rig.openLoad({ addr: running.address, seconds, ...LOAD })
  const before = await load()
  const during = load()
  const changed = timed(change)
  const [{ p99_us, max_us }, changeMillis] = await Promise.all([during, changed])
  return {
    p99Ratio: p99_us / before.p99_us,
    p99Micros: p99_us,
    maxMillis: max_us / 1_000,
    maxMillisBefore: before.max_us / 1_000,
    changeMillis,
  }
}

async function timed(change: () => Promise<void>): Promise<number> {
  await after(LEAD_MS)
  const begin = performance.now()
  await change()
  return performance.now() - begin
}
