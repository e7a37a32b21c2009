/** An endpoint as it stands in `clusters[].endpoints` and in the files of registries. */
import * as z from 'zod'
import { address } from '../forms/address.js'
import { notYetKeys } from '../forms/not-yet.js'

const endpointAddress = address({ minPort: 1, unix: true })

/** As Envoy has it. */
const maxPriority = 127

/** The sum of a cluster's weights must fit 32 bits. */
const maxWeight = 65_535

export const endpoint = z.union([
  endpointAddress.transform((text) => ({ address: text, weight: 1, region: '', zone: '', priority: 0, labels: {} })),
  z
    .strictObject({
      address: endpointAddress.meta({ description: 'IP and port, or a unix socket' }),
      weight: z
        .int()
        .min(1, { error: `must be between 1 and ${maxWeight}; remove an endpoint that is to get no requests` })
        .max(maxWeight)
        .default(1)
        .meta({ description: "Its share of the cluster's requests" }),
      region: z.string().max(256).default('').meta({ description: 'Region in which it runs' }),
      zone: z.string().max(256).default('').meta({ description: 'Zone in which it runs' }),
      labels: z
        .record(z.string().max(256), z.string().max(256))
        .default({})
        .meta({ description: 'Free labels, such as a version' }),
      priority: z
        .int()
        .min(0, { error: `must be between 0, which comes first, and ${maxPriority}` })
        .max(maxPriority)
        .default(0)
        .meta({ description: '0 comes first; the next ones when those before are short of health' }),
      ...notYetKeys('mesh'),
    })
    .transform(({ mesh: _, ...endpoint }) => endpoint),
])

/** What a file of endpoints holds. An empty one is a registry that lost its memory, and is refused like a broken one. */
export const endpointFile = z.array(endpoint).min(1)

export type ResolvedEndpoint = z.output<typeof endpoint>
