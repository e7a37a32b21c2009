/**
 * Ports for those that have to be told where to listen. They lie below the range from which the system takes the ports
 * of outgoing connections: one of those might else have it by the time its owner listens.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const lowest = 10_000
const ephemeral = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t')[0])
/** Where the system leaves no room, the usual lower end is as good as any. */
const highest = ephemeral > lowest + 5_000 ? ephemeral : 32_768
const given = new Set<number>()

/** Nobody listens on it, on any address, and it is given once in this process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (given.has(port)) continue
    given.add(port)
    if (await isFree(port)) return port
  }
}

export function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort))
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '0.0.0.0')
  const free = await once(probe, 'listening').then(
    () => true,
    () => false,
  )
  if (free) await once(probe.close(), 'close')
  return free
}
