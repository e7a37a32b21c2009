/**
 * What the kernel holds of this machine's TCP connections, by their pair of ports: with the bytes that each end has
 * written and read this tells how much a process between them holds itself.
 */
import { readFileSync } from 'node:fs'

export interface Queues {
  /** Bytes that were written and that the other side's kernel has not taken. */
  unsent: number
  /** Bytes that arrived and that the process has not read. */
  unread: number
}

/** The queues of the end of a connection at `localPort` whose other end is at `remotePort`. */
export function socketQueues(localPort: number, remotePort: number): Queues {
  const ports = `:${hex(localPort)} 0100007F:${hex(remotePort)} `
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((line) => line.includes(ports))
  const match = / ([0-9A-F]{8}):([0-9A-F]{8}) /.exec(line ?? '')
  if (match === null) throw new Error(`no connection ${localPort} → ${remotePort}`)
  return { unsent: Number.parseInt(match[1] ?? '', 16), unread: Number.parseInt(match[2] ?? '', 16) }
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}
