/** Workloads from a watched file: a list of `ip:port`, or of what a registration says without its service. */
import { unwatchFile, watchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import * as z from 'zod'
import { findingsOf } from '../../../config/checks/findings.js'
import { formatPath } from '../../../config/checks/path.js'
import { parseText } from '../../../config/files/load.js'
import { parseAddress } from '../../../config/forms/address.js'
import { type Registration, registration } from '../registration.js'
import type { Source, Told } from './source.js'

/** By looking: a file that is replaced by rename is another one, which watchers of the kernel lose. */
const lookMs = 500

const workloads = z.array(z.union([z.string(), z.record(z.string(), z.unknown())]))

export function fileSource(service: string, namespace: string, path: string): Source {
  return {
    name: `file ${basename(path)}`,
    follow(told) {
      let over = false
      const read = async () => {
        const text = await readFile(path, 'utf8').catch((error: Error) => error)
        if (over) return
        if (typeof text === 'string') tell(text, path, { service, namespace }, told)
        else told.failed(text.message)
      }
      // Looks at once, so that a file which comes later is seen as a change.
      const look = () => void read()
      watchFile(path, { interval: lookMs, persistent: false }, look)
      look()
      return () => {
        over = true
        unwatchFile(path, look)
      }
    },
  }
}

function tell(text: string, path: string, of: { service: string; namespace: string }, told: Told): void {
  try {
    const value = parseText(text, path)
    const list = workloads.safeParse(value)
    const parsed = list.success ? list.data.map((one) => registrationOf(one, of)) : ['it is no list of workloads']
    const wrong = parsed.find((one) => typeof one === 'string')
    if (wrong !== undefined) told.failed(`${path}: ${wrong}`)
    else told.workloads(parsed as Registration[])
  } catch (error) {
    told.failed((error as Error).message)
  }
}

/** The registration, or why there is none. */
function registrationOf(one: string | object, of: { service: string; namespace: string }): Registration | string {
  const written = typeof one === 'string' ? { address: one } : (one as Record<string, unknown>)
  // `address: ip:port`, as endpoints are written in a proxy's configuration, or the two apart.
  const place = typeof written.address === 'string' && written.port === undefined ? parseAddress(written.address) : null
  if (typeof place === 'string') return place
  const whole = { ...written, ...of, ...(place !== null && { address: place.ip, port: place.port }) }
  const parsed = registration.safeParse(whole)
  if (parsed.success && parsed.data.address !== undefined) return parsed.data
  if (parsed.success) return 'each workload needs an address'
  const [first] = findingsOf(registration, whole, parsed.error.issues)
  return `${formatPath(first?.path ?? [])} ${first?.message}`
}
