/** `clusters[]`: the endpoints that together answer for one service, and how connections to them are kept. */
import * as z from 'zod'
import { address } from './address.js'
import { circuitBreaker } from './circuit-breaker.js'
import { duration } from './duration.js'
import { filters } from './filter.js'
import { name } from './name.js'
import { notYetKeys, words } from './not-yet.js'
import { retryBudget } from './retry-budget.js'

const endpointAddress = address({ minPort: 1 })

const endpoint = z.union([
  endpointAddress.transform((text) => ({ address: text })),
  z
    .strictObject({
      address: endpointAddress.meta({ description: 'IP and port' }),
      ...notYetKeys('weight', 'priority', 'region', 'zone', 'labels', 'mesh'),
    })
    .transform(({ address }) => ({ address })),
])

const keepAlive = z
  .strictObject({
    idleTimeout: duration({ later: ['learned'] })
      .prefault('3s')
      .meta({ description: 'An idle upstream connection is closed after this time; 0 keeps none' }),
  })
  .meta({ title: 'keepAlive' })

export const cluster = z
  .strictObject({
    name: name().meta({ description: 'Unique name' }),
    endpoints: z.array(endpoint).min(1).meta({ description: 'Addresses, as `ip:port` or `{ address: ip:port }`' }),
    protocol: words(['http1'], ['http2', 'auto']).prefault('http1').meta({ description: 'What the endpoints speak' }),
    connectTimeout: duration({ minMs: 1 }).prefault('1s').meta({ description: 'Until a connection is established' }),
    keepAlive: keepAlive.prefault({}),
    circuitBreaker: circuitBreaker.nullable().default(null).meta({ description: 'Absent: no bounds' }),
    retryBudget: retryBudget.prefault({}),
    filters: filters(),
    ...notYetKeys('discovery', 'tls', 'healthCheck', 'loadBalancer', 'outlierDetection', 'hedge'),
    ...notYetKeys('subsets', 'localityAware', 'panicThreshold', 'adaptiveConcurrency', 'proxyProtocol'),
  })
  .meta({ title: 'clusters[]', description: 'Endpoints that answer for one service.' })
