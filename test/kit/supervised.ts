/** A supervised proxy as a test sees it: the processes below the supervisor, found in the process table. */
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { type ProxyOptions, ProxyProcess } from './proxy-process.js'

const started = new Set<ProxyProcess>()

export async function startSupervised(endpoint: string, options: ProxyOptions = {}): Promise<ProxyProcess> {
  const flags = ['--supervise', ...(options.flags ?? [])]
  const supervisor = await ProxyProcess.launch(endpoint, { ...options, flags })
  started.add(supervisor)
  return supervisor
}

/** What a process was started with, as it stands in the process table. */
function words(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** The process of the proxy, as soon as there is one that is none of `others`. */
export async function proxyOf(supervisor: ProxyProcess, ...others: number[]): Promise<number> {
  const find = () =>
    childrenOf(supervisor.pid).find((pid) => words(pid).includes('weft.js run') && !others.includes(pid))
  await expect.poll(find, { interval: 2, timeout: 10_000 }).toBeDefined()
  return find() ?? -1
}

/** For `afterEach`, before the programs are ended: a supervisor that is killed leaves its children to nobody. */
export async function endSupervised(): Promise<void> {
  for (const supervisor of started) {
    const children = childrenOf(supervisor.pid)
    supervisor.signal('SIGKILL')
    for (const pid of children) process.kill(pid, 'SIGKILL')
    // They hold its outputs open.
    await supervisor.end()
  }
  started.clear()
}
