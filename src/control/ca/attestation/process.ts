/**
 * By the user of a process of this machine, as the kernel says at the other end of a Unix socket; and by its executable
 * where the configuration asks for that.
 *
 * The process is known by its number, which the kernel notes when it connects and may give to another after its end:
 * the executable is one more lock, never the only one.
 */
import { readlinkSync } from 'node:fs'
import type { Socket } from 'node:net'
import { loadAddon } from '../../../native/index.js'
import { type Attested, demandSame, unproved, type Wanted } from './proof.js'

export interface ProcessRule {
  uid: number
  /** Null: any. */
  executable: string | null
  namespace: string
  account: string
}

export interface Peer {
  uid: number
  gid: number
  pid: number
}

/** Throws `WEFT_CA_PROOF`. With several rules for one user, what is wanted tells which. */
export function attestProcess(
  rules: readonly ProcessRule[],
  { uid, pid }: Peer,
  executable: string | null,
  wanted: Wanted,
): Attested {
  const by = `process:${pid}(uid ${uid}${executable === null ? '' : `, ${executable}`})`
  const fitting = rules.filter(
    (rule) => rule.uid === uid && (rule.executable === null || rule.executable === executable),
  )
  const { namespace, account } = wanted
  const meant = fitting.filter(
    (rule) => (namespace === null || rule.namespace === namespace) && (account === null || rule.account === account),
  )
  const [rule, ...others] = meant.length > 0 ? meant : fitting
  if (rule === undefined)
    throw unproved(`${by} is no workload of this machine`, 'name its user in authority.socket.workloads')
  if (others.length > 0)
    throw unproved(`${by} may be ${fitting.length} workloads: say which`, 'with weft: --account NAME')
  return demandSame({ namespace: rule.namespace, account: rule.account, by }, wanted)
}

/** Whoever is at the other end of an open Unix socket. Throws `WEFT_CA_PROOF`. */
export function readPeer(socket: Socket): Peer {
  const descriptor = (socket as unknown as { _handle: { fd?: number } | null })._handle?.fd ?? -1
  try {
    return JSON.parse(loadAddon().readPeer(descriptor)) as Peer
  } catch (cause) {
    throw unproved(`the process cannot be known: ${(cause as Error).message}`, 'connect again')
  }
}

/** Null when it has ended, or is somebody else's whom we may not look at. */
export function executableOf({ pid }: Peer): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return null
  }
}
