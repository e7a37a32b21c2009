/**
 * What a workload says about itself when it registers, and what the store keeps of it.
 *
 * Invariant: everything that a restart must not forget is kept; when the next heartbeat is due is not, because after a
 * restart every workload gets a full period to be heard of.
 */
import { isIP } from 'node:net'
import * as z from 'zod'
import { duration } from '../../config/forms/duration.js'
import type { Workload, WorkloadHealth } from '../state/mesh-source.js'
import type { Key } from '../store/key.js'
import type { Entry } from '../store/store.js'

const label = z.string().max(256)
const name = () =>
  z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, {
    error: 'must be lower-case letters, digits, - and ., at most 63, starting and ending with a letter or digit',
  })
const port = z.int().min(1).max(65_535)

const check = z
  .strictObject({
    http: z.strictObject({ path: z.string().startsWith('/').max(1_024), port: port.optional() }).optional(),
    tcp: z.strictObject({ port: port.optional() }).optional(),
    interval: duration({ minMs: 1_000 }).default(10_000),
    timeout: duration({ minMs: 100 }).default(2_000),
    healthyThreshold: z.int().min(1).max(100).default(2),
    unhealthyThreshold: z.int().min(1).max(100).default(3),
  })
  .refine(({ http, tcp }) => (http === undefined) !== (tcp === undefined), { error: 'give either http or tcp' })
  .meta({ description: 'How the control plane looks for itself: 200 to 399 over HTTP, or a connection over TCP' })

export const registration = z
  .strictObject({
    service: name().meta({ description: 'Name of the service' }),
    namespace: name().default('default'),
    id: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, { error: 'must be at most 128 letters, digits or . _ : -' })
      .optional()
      .meta({ description: 'Unique within the service; absent: ADDRESS:PORT' }),
    address: z
      .string()
      .refine((text) => isIP(text) !== 0, { error: 'must be an IP address' })
      .optional()
      .meta({ description: 'IP address; absent: the one that the request comes from' }),
    port: port.meta({ description: 'The port that serves' }),
    ports: z.record(z.string().max(63), port).default({}).meta({ description: 'Further ports by name' }),
    version: label.optional().meta({ description: 'Becomes the label `version`' }),
    region: label.default(''),
    zone: label.default(''),
    labels: z.record(z.string().max(256), label).default({}),
    serviceAccount: name().default('default').meta({ description: 'Last part of the SPIFFE ID' }),
    weight: z.int().min(1).max(10_000).default(1),
    health: z.enum(['healthy', 'unhealthy', 'draining']).default('healthy'),
    ttl: duration({ minMs: 3_000 })
      .default(30_000)
      .meta({ description: 'Without a heartbeat for so long it is evicted' }),
    check: check.optional(),
  })
  .meta({ title: 'Registration' })

export type Registration = z.output<typeof registration>
export type Check = NonNullable<Registration['check']>

export const heartbeat = z
  .strictObject({
    epoch: z.int().optional().meta({ description: 'As the registration was answered; an older one is refused' }),
    health: z.enum(['healthy', 'unhealthy', 'draining']).optional(),
  })
  .meta({ title: 'Heartbeat' })

/** A workload in the store. */
export interface Kept extends Omit<Workload, 'health'> {
  /** What it says itself, and what a look from outside says. */
  reported: WorkloadHealth
  checked: 'healthy' | 'unhealthy'
  ttlMs: number
  check: Check | null
  /** The source that it comes from, which takes the place of heartbeats; null for the API. */
  source: string | null
}

/** The store's own kind: it has no history and is not listed among resources. */
export const workloadKind = 'workload'

export function workloadKey({ namespace, service, id }: { namespace: string; service: string; id: string }): Key {
  return { kind: workloadKind, namespace, name: `${service}:${id}` }
}

export function keptOf({ value }: Entry): Kept {
  return value as unknown as Kept
}

export function workloadOf(kept: Kept): Workload {
  const { reported, checked, ttlMs: _ttl, check: _check, source: _source, ...shown } = kept
  return { ...shown, health: reported === 'draining' ? reported : checked === 'unhealthy' ? checked : reported }
}

/** `callerAddress` stands in for an address that was not given. */
export function keep(written: Registration, callerAddress: string, epoch: number): Kept {
  const { version, health, ttl, check, address = callerAddress, id = `${address}:${written.port}`, ...rest } = written
  const labels = { app: written.service, ...written.labels, ...(version !== undefined && { version }) }
  const kept = { ...rest, id, address, labels, stale: false, epoch, ttlMs: ttl, check: check ?? null, source: null }
  // Nobody has looked yet: what it says counts until somebody has.
  return { ...kept, reported: health, checked: 'healthy' }
}
