/** Workloads from DNS: every address that a name has, asked again after `refresh`. */
import { lookup } from 'node:dns/promises'
import { registration } from '../registration.js'
import type { Source } from './source.js'

export interface DnsQuestion {
  name: string
  port: number
  refresh: number
}

/** The system's own resolver, hosts file included. */
const systemLookup = (name: string) => lookup(name, { all: true })

export function dnsSource(
  service: string,
  namespace: string,
  { name, port, refresh }: DnsQuestion,
  ask: (name: string) => Promise<{ address: string }[]> = systemLookup,
): Source {
  return {
    name: `dns ${name}`,
    follow(told) {
      let timer: NodeJS.Timeout | null = null
      let over = false
      const round = async () => {
        const answer = await ask(name).catch((error: NodeJS.ErrnoException) => error)
        if (over) return
        if (Array.isArray(answer)) {
          const addresses = [...new Set(answer.map(({ address }) => address))].sort()
          told.workloads(addresses.map((address) => registration.parse({ service, namespace, address, port })))
        } else told.failed(`${name}: ${answer.code ?? answer.message}`)
        timer = setTimeout(round, refresh)
        timer.unref()
      }
      void round()
      return () => {
        over = true
        if (timer !== null) clearTimeout(timer)
      }
    },
  }
}
