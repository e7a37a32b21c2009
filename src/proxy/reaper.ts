/**
 * The duty of process 1 in a container: orphans of the application become our children, and unless somebody collects
 * them they stay in the process table. Node collects only what it started itself.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { Addon } from '../native/index.js'

/** Collects ended orphans whenever a child ends. `isOurs` names the children that Node itself waits for; the addon is asked for when there is an orphan. */
export function reapOrphans(addon: () => Promise<Pick<Addon, 'reap'>>, isOurs: (pid: number) => boolean): void {
  if (process.pid !== 1) return
  process.on('SIGCHLD', () => {
    const orphans = zombies(process.pid).filter((pid) => !isOurs(pid))
    if (orphans.length > 0) void addon().then(({ reap }) => orphans.forEach(reap))
  })
}

/** Ended children of a process that nobody has waited for. */
export function zombies(parent: number, proc = '/proc'): number[] {
  return readdirSync(proc).flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    const [state, ppid] = stateOf(`${proc}/${entry}/stat`)
    return state === 'Z' && ppid === parent ? [Number(entry)] : []
  })
}

/** State and parent from `stat`; the command between them may hold spaces and brackets. */
function stateOf(file: string): [state: string, ppid: number] {
  try {
    const text = readFileSync(file, 'utf8')
    const [state = '', ppid = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return [state, Number(ppid)]
  } catch {
    return ['', 0] // it was collected between the listing and the reading
  }
}
