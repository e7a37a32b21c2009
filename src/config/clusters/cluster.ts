/** `clusters[]`: the endpoints that together answer for one service, and how connections to them are kept. */
import * as z from 'zod'
import { filters } from '../filters/filter.js'
import { duration } from '../forms/duration.js'
import { name } from '../forms/name.js'
import { notYetKeys, words } from '../forms/not-yet.js'
import { adaptiveConcurrency } from './adaptive-concurrency.js'
import { circuitBreaker } from './circuit-breaker.js'
import { discovery } from './discovery.js'
import { endpoint } from './endpoint.js'
import { healthCheck } from './health-check.js'
import { hedge } from './hedge.js'
import { keepAlive, tcpKeepAlive } from './keep-alive.js'
import { loadBalancer } from './load-balancer.js'
import { localityAware } from './locality-aware.js'
import { outlierDetection } from './outlier-detection.js'
import { retryBudget } from './retry-budget.js'
import { subsets } from './subset.js'

export const cluster = z
  .strictObject({
    name: name().meta({ description: 'Unique name' }),
    endpoints: z.array(endpoint).min(1).nullable().default(null).meta({
      description: 'Addresses, as `ip:port`, `unix:path` or `{ address: ip:port }`; either these or `discovery`',
    }),
    discovery: discovery.nullable().default(null).meta({ description: 'The registry that knows the endpoints' }),
    loadBalancer: loadBalancer.prefault({}),
    protocol: words(['http1'], ['http2', 'auto']).prefault('http1').meta({ description: 'What the endpoints speak' }),
    connectTimeout: duration({ minMs: 1 }).prefault('1s').meta({ description: 'Until a connection is established' }),
    keepAlive: keepAlive.prefault({}),
    circuitBreaker: circuitBreaker.nullable().default(null).meta({ description: 'Absent: no bounds' }),
    adaptiveConcurrency: adaptiveConcurrency.nullable().default(null).meta({ description: 'Absent: no such bound' }),
    retryBudget: retryBudget.prefault({}),
    hedge: hedge.nullable().default(null).meta({ description: 'Absent: no attempt has another one beside it' }),
    tcpKeepAlive: tcpKeepAlive
      .nullable()
      .default(null)
      .meta({ description: "The kernel's probes of silent connections; absent: as the system is set" }),
    healthCheck: healthCheck.nullable().default(null).meta({ description: 'Absent: endpoints are not checked' }),
    outlierDetection: outlierDetection
      .nullable()
      .default(null)
      .meta({ description: 'Absent: failures eject no endpoint' }),
    filters: filters(),
    ...notYetKeys('tls'),
    subsets: subsets.nullable().default(null).meta({ description: 'Absent: routes name the whole cluster' }),
    localityAware: localityAware.nullable().default(null).meta({ description: 'Absent: off' }),
    panicThreshold: z.int().min(0).max(100).default(50).meta({
      description:
        'Percent of healthy endpoints of a priority below which all of it are used, where no other priority can help; 0: never, 503 when none is healthy',
    }),
    overProvisioning: z.int().min(100).max(1000).default(140).meta({
      description:
        'Percent of its share that a healthy endpoint can take: at 140 a priority is whole with 72 % healthy',
    }),
    ...notYetKeys('proxyProtocol'),
  })
  .superRefine(({ endpoints, discovery }, context) => {
    if (endpoints === null && discovery === null) {
      context.addIssue({ code: 'custom', path: ['endpoints'], message: 'a cluster needs endpoints or a discovery' })
    } else if (endpoints !== null && discovery !== null) {
      context.addIssue({
        code: 'custom',
        path: ['discovery'],
        message: 'a cluster has endpoints or a discovery, not both',
      })
    }
  })
  .meta({ title: 'clusters[]', description: 'Endpoints that answer for one service.' })
