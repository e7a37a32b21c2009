/** `trafficPolicy` of a DestinationRule: how connections to a service are balanced, limited, watched and secured. */
import * as z from 'zod'
import { notYet, notYetKeys, words } from '../../config/forms/not-yet.js'
import { clientTls } from './client-tls.js'
import { proxyProtocol, tunnel } from './connection-wrapping.js'
import { port, regionLabel, subzoneLabel, zoneLabel } from './kind.js'
import { span } from './span.js'

const uint32 = z.int().min(0).max(0xffff_ffff)

/** Written into a header as it is. */
const cookieText = z.string().regex(/^[ -:<-~]*$/, { error: 'must be printable ASCII without ;' })

const consistentHash = z
  .strictObject({
    httpHeaderName: z.string().min(1).optional(),
    httpCookie: z
      .strictObject({
        name: z.string().min(1),
        path: z.string().optional(),
        ttl: span().optional(),
        attributes: z.array(z.strictObject({ name: cookieText.min(1), value: cookieText.default('') })).default([]),
      })
      .superRefine(({ attributes, ttl }, context) => {
        const issue = (path: (string | number)[], message: string) =>
          context.addIssue({ code: 'custom', path: ['attributes', ...path], message })
        if (attributes.length > 0 && ttl === undefined) issue([], 'need ttl: without it no cookie is set')
        for (const [index, { name }] of attributes.entries())
          if (attributes.findIndex((one) => one.name === name) < index) issue([index, 'name'], `${name} is said twice`)
      })
      .optional(),
    useSourceIp: z.boolean().optional(),
    httpQueryParameterName: z.string().min(1).optional(),
    ringHash: z.strictObject({ minimumRingSize: uint32.min(1).default(1024) }).optional(),
    maglev: z.strictObject({ tableSize: uint32.min(2).max(5_000_011).default(65_537) }).optional(),
    minimumRingSize: notYet('write ringHash.minimumRingSize'),
  })
  .refine(
    (hash) =>
      [hash.httpHeaderName, hash.httpCookie, hash.useSourceIp, hash.httpQueryParameterName].filter(
        (on) => on !== undefined,
      ).length === 1,
    {
      error: 'needs exactly one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName',
    },
  )

const region = z.string().regex(/^[^/*]+$/, { error: 'must be a region, without / and *' })
const failover = z.array(z.strictObject({ from: region, to: region })).default([])

/** Labels, compared with the client's or with a value that is named; the nth counts where those before it match. */
const failoverPriority = z
  .array(z.string().regex(/^[^=]+(=[^=]*)?$/, { error: 'must be a label, or label=value' }))
  .default([])

/** Labels that say where something stands. */
const placeLabels: readonly string[] = [regionLabel, zoneLabel, subzoneLabel]

const locality = z
  .strictObject({
    enabled: z.boolean().default(true),
    distribute: z
      .array(z.strictObject({ from: z.string().min(1), to: z.record(z.string(), uint32.max(100)) }))
      .default([]),
    failover,
    failoverPriority,
  })
  .superRefine((setting, context) => {
    const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message })
    const { distribute, failover: regions, failoverPriority: labels } = setting
    if (distribute.length > 0 && regions.length > 0) issue(['failover'], 'may not stand beside distribute')
    if (distribute.length > 0 && labels.length > 0) issue(['failoverPriority'], 'may not stand beside distribute')
    for (const [index, label] of labels.entries())
      if (regions.length > 0 && placeLabels.includes(label))
        issue(['failoverPriority', index], `${label} may not stand beside failover, which orders by place itself`)
  })

/** Zones of the client's region are balanced by Envoy itself; what is said here is for the rest. */
const zoneAware = z
  .strictObject({
    enabled: z.boolean().default(true),
    failover,
    failoverPriority,
    minClusterSize: uint32.min(1).optional(),
  })
  .superRefine(({ failoverPriority: labels }, context) => {
    for (const [index, label] of labels.entries()) {
      const message = `${label} is looked at already: regions and zones need no label`
      if (placeLabels.includes(label)) context.addIssue({ code: 'custom', path: ['failoverPriority', index], message })
    }
  })

const loadBalancer = z
  .strictObject({
    simple: words(
      ['LEAST_REQUEST', 'RANDOM', 'ROUND_ROBIN', 'UNSPECIFIED', 'LEAST_CONN'],
      ['PASSTHROUGH'],
      'nothing is intercepted here, so there is no address that the caller meant; leave it out',
    ).optional(),
    consistentHash: consistentHash.optional(),
    localityLbSetting: locality.optional(),
    warmup: z
      .strictObject({
        duration: span({ minMs: 1 }),
        minimumPercent: z.number().min(0).max(100).default(10),
        aggression: z.number().min(1).default(1),
      })
      .optional(),
    warmupDurationSecs: notYet('write warmup.duration'),
    zoneAwareLbSetting: zoneAware.optional(),
  })
  .superRefine(({ localityLbSetting, consistentHash: hash, zoneAwareLbSetting }, context) => {
    if (zoneAwareLbSetting === undefined) return
    const issue = (message: string) => context.addIssue({ code: 'custom', path: ['zoneAwareLbSetting'], message })
    if (localityLbSetting !== undefined) issue('may not stand beside localityLbSetting')
    if (hash !== undefined) issue('may not stand beside consistentHash: a key has one endpoint, whatever its zone')
  })

export const connectionPool = z.strictObject({
  tcp: z
    .strictObject({
      maxConnections: uint32.min(1).optional(),
      connectTimeout: span({ minMs: 1 }).optional(),
      tcpKeepalive: z
        .strictObject({ probes: uint32.optional(), time: span().optional(), interval: span().optional() })
        .optional(),
      maxConnectionDuration: span({ minMs: 1 }).optional(),
      idleTimeout: span().optional(),
    })
    .prefault({}),
  http: z
    .strictObject({
      http1MaxPendingRequests: uint32.min(1).optional(),
      http2MaxRequests: uint32.min(1).optional(),
      maxRequestsPerConnection: uint32.optional(),
      maxRetries: uint32.optional(),
      idleTimeout: span().optional(),
      h2UpgradePolicy: z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']).default('DEFAULT'),
      maxConcurrentStreams: uint32.min(1).optional(),
      useClientProtocol: z.boolean().default(false),
      http2KeepAlive: z.strictObject({ interval: span({ minMs: 1 }), timeout: span({ minMs: 1 }) }).optional(),
    })
    .refine(({ h2UpgradePolicy, useClientProtocol }) => h2UpgradePolicy !== 'UPGRADE' || !useClientProtocol, {
      error: 'may not stand beside h2UpgradePolicy UPGRADE',
      path: ['useClientProtocol'],
    })
    .prefault({}),
})

const outlierDetection = z.strictObject({
  consecutive5xxErrors: uint32.optional(),
  consecutiveGatewayErrors: uint32.optional(),
  consecutiveLocalOriginFailures: uint32.optional(),
  splitExternalLocalOriginErrors: z.boolean().default(false),
  interval: span({ minMs: 1 }).optional(),
  baseEjectionTime: span({ minMs: 1 }).optional(),
  maxEjectionPercent: z.int().min(0).max(100).optional(),
  minHealthPercent: z.int().min(0).max(100).optional(),
  consecutiveErrors: notYet('write consecutive5xxErrors or consecutiveGatewayErrors'),
})

const parts = {
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
}

const shape = z.strictObject({
  ...parts,
  portLevelSettings: z.array(z.strictObject({ port: z.strictObject({ number: port }), ...parts })).default([]),
  retryBudget: z
    .strictObject({
      percent: z.number().min(0).max(100).default(20),
      minRetryConcurrency: uint32.default(3),
      ...notYetKeys('budgetInterval'),
    })
    .optional(),
  tunnel: tunnel.optional(),
  proxyProtocol: proxyProtocol.optional(),
})

export const trafficPolicy = shape.refine(
  (policy) => policy.tunnel === undefined || policy.proxyProtocol === undefined,
  { error: 'may not stand beside tunnel', path: ['proxyProtocol'] },
)

export type ConnectionPool = z.output<typeof connectionPool>
export type TrafficPolicy = z.output<typeof trafficPolicy>
/** What a port may override as a whole. */
export type TrafficPolicyParts = Pick<TrafficPolicy, 'loadBalancer' | 'connectionPool' | 'outlierDetection' | 'tls'>
