/**
 * Processes of a benchmark and what the kernel says about them. Below rig.ts.
 *
 * Only processes started here are ended, by their id, and none outlives the run.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const END_LIMIT_MS = 5_000
const OUTPUT_KEPT = 4_000
const SAY_LIMIT_MS = 60_000
/** Kernel ticks of /proc/PID/stat per second; USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

export interface Running {
  readonly pid: number
  readonly child: ChildProcess
  /** The last of what it wrote on both outputs, for error messages. */
  readonly output: () => string
  readonly ended: Promise<void>
}

const live = new Set<Running>()

/** Starts `command`, pinned to `core` unless that is null. */
export function startProcess(command: readonly string[], core: number | null): Running {
  const [program = '', ...args] = core === null ? command : ['taskset', '-c', String(core), ...command]
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let kept = ''
  const keep = (chunk: Buffer) => {
    kept = (kept + chunk.toString()).slice(-OUTPUT_KEPT)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', (error) => {
      keep(Buffer.from(String(error)))
      resolve()
    })
  })
  const running: Running = { pid: child.pid ?? -1, child, output: () => kept.trim(), ended }
  live.add(running)
  void ended.then(() => live.delete(running))
  return running
}

/** Resolves with the match once its output has one; rejects when it ends first or takes too long. */
export async function said(running: Running, expected: RegExp, limitMs = SAY_LIMIT_MS): Promise<RegExpExecArray> {
  const limit = AbortSignal.timeout(limitMs)
  const ended = running.ended.then(() => Promise.reject(new Error(`it ended: ${running.output()}`)))
  ended.catch(() => {})
  const { stdout, stderr } = running.child
  if (stdout === null || stderr === null) throw new Error('its output is not read')
  for (;;) {
    const found = expected.exec(running.output())
    if (found !== null) return found
    const more = [once(stdout, 'data', { signal: limit }), once(stderr, 'data', { signal: limit })]
    await Promise.race([...more, ended])
  }
}

/** Ends a process by SIGTERM and, when that is not heard in five seconds, its whole tree by SIGKILL. */
export async function endProcess(running: Running): Promise<void> {
  if (!live.has(running)) return
  const tree = processTree(running.pid)
  running.child.kill('SIGTERM')
  const limit = AbortSignal.timeout(END_LIMIT_MS)
  await Promise.race([running.ended, once(limit, 'abort')])
  if (live.has(running)) for (const pid of tree) killQuietly(pid)
  await running.ended
}

/** For the last moment, when nothing can be awaited any more. */
export function killEverything(): void {
  for (const running of live) for (const pid of processTree(running.pid)) killQuietly(pid)
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself in between.
  }
}

/**
 * Gives this session a nice value against all others, until the process exits. With autogroups the kernel shares a core
 * between sessions, not processes: nice(1) would change nothing. Negative values need root.
 */
export function setSessionPriority(nice: number): void {
  const file = '/proc/self/autogroup'
  const before = /nice (-?\d+)/.exec(readFileSync(file, 'latin1'))?.[1] ?? '0'
  writeFileSync(file, String(nice))
  process.once('exit', () => writeFileSync(file, before))
}

/**
 * Lets a process run before everybody on its core, as one on a machine of its own would; returns the way back. Where that
 * is not allowed nothing changes.
 */
export function goFirst(pid: number): () => void {
  const turn = (policy: string, priority: string) =>
    spawnSync('chrt', [policy, '-p', priority, String(pid)]).status === 0
  const first = turn('--fifo', '1')
  return () => void (first && turn('--other', '0'))
}

/** The process and all its descendants. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = statFields(Number(name))?.[1]
    if (parent === undefined) continue
    const siblings = children.get(Number(parent)) ?? []
    siblings.push(Number(name))
    children.set(Number(parent), siblings)
  }
  const tree = [root]
  for (let at = 0; at < tree.length; at++) tree.push(...(children.get(tree[at] ?? -1) ?? []))
  return tree
}

/** The fields of /proc/PID/stat from the third on (state, parent, …); null when the process is gone. */
function statFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

/** CPU the tree has used so far, in seconds, over all threads and with those children that have ended. */
export function cpuSeconds(root: number): number {
  let ticks = 0
  for (const pid of processTree(root)) {
    const fields = statFields(pid)
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5).
    for (const field of fields?.slice(11, 15) ?? []) ticks += Number(field)
  }
  return ticks / TICKS_PER_SECOND
}

/** CPU that the whole machine has used so far, in seconds: everything but idle and waiting for disks. */
export function machineCpuSeconds(): number {
  const total = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = total.split(/\s+/).slice(1).map(Number)
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND
}

export interface Memory {
  /** Private anonymous memory of the tree. */
  readonly anonKib: number
  /** Proportional set size of the tree: shared pages are divided among those who share them. */
  readonly pssKib: number
}

export function memoryOf(root: number): Memory {
  let anonKib = 0
  let pssKib = 0
  for (const pid of processTree(root)) {
    anonKib += kibOf(`/proc/${pid}/status`, 'RssAnon')
    pssKib += kibOf(`/proc/${pid}/smaps_rollup`, 'Pss')
  }
  return { anonKib, pssKib }
}

function kibOf(file: string, field: string): number {
  const line = readFileSync(file, 'latin1').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'))
  return Number(line?.[1] ?? 0)
}
