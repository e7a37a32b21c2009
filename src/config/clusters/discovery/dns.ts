/** `discovery: { type: dns }`: the endpoints are what a name's records say, followed as the records change. */
import * as z from 'zod'
import { address } from '../../forms/address.js'
import { duration } from '../../forms/duration.js'
import { words } from '../../forms/not-yet.js'

/** Labels of RFC 1035 section 2.3.4, with the underscores of RFC 2782. */
const hostName = /^(?=.{1,254}$)[\w](?:[\w-]{0,61}[\w])?(?:\.[\w](?:[\w-]{0,61}[\w])?)*\.?$/

export const dnsDiscovery = z
  .strictObject({
    type: z.literal('dns'),
    name: z
      .string()
      .regex(hostName, 'must be a host name')
      .meta({ description: 'The name; with a dot at its end, the search list of the system is not tried' }),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .meta({ description: 'Port of the endpoints; SRV records bring theirs' }),
    record: words(['address', 'a', 'aaaa', 'srv'], [])
      .prefault('address')
      .meta({
        description:
          '`address`: A, or AAAA where there are none; a name with one of each is one endpoint with both addresses. ' +
          '`srv`: each target of the best priority is one, with its weight',
      }),
    logical: z.boolean().default(false).meta({
      description: 'The name is one endpoint, whatever addresses it has: each connection goes to one that answers',
    }),
    refresh: duration({ minMs: 1_000 })
      .prefault('5m')
      .meta({ description: 'Longest time between two lookups; the TTL of the records shortens it, down to 1s' }),
    resolvers: z
      .array(address({ minPort: 1 }))
      .default([])
      .meta({ description: "Name servers to ask; absent: the system's" }),
  })
  .superRefine(({ port, record, logical }, context) => {
    if (record === 'srv') {
      if (port !== undefined)
        context.addIssue({ code: 'custom', path: ['port'], message: 'must be left out: SRV records bring their ports' })
      if (logical)
        context.addIssue({
          code: 'custom',
          path: ['logical'],
          message: 'must be false: each SRV target is an endpoint',
        })
    } else if (port === undefined) {
      context.addIssue({ code: 'invalid_type', expected: 'number', path: ['port'], input: undefined })
    }
  })
  .meta({ title: 'dns' })
