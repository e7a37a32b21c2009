/** `clusters[].keepAlive` and `clusters[].tcpKeepAlive`: how connections to endpoints are kept and watched. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { words } from '../forms/not-yet.js'

export const keepAlive = z
  .strictObject({
    idleTimeout: z
      .union([duration(), words(['learned'], [])])
      .prefault('learned')
      .meta({
        description:
          'An idle upstream connection is not used again after this time; 0 keeps none. `learned`: after four fifths of ' +
          'the time that the endpoint was seen, or says, to keep it; 3s until that is known',
      }),
    maxRequestsPerConnection: z
      .int()
      .min(0)
      .max(0xffff_ffff)
      .default(0)
      .meta({ description: 'Requests on one upstream connection before it is closed; 0: no bound' }),
  })
  .meta({ title: 'keepAlive' })

/** What the kernel takes (tcp(7)): seconds in 15 bits, probes in 7. */
const longestMs = 32_767_000
const mostProbes = 127

export const tcpKeepAlive = z
  .strictObject({
    time: duration({ minMs: 1_000, maxMs: longestMs })
      .prefault('60s')
      .meta({ description: 'Silence before the first probe; counted in whole seconds' }),
    interval: duration({ minMs: 1_000, maxMs: longestMs })
      .prefault('10s')
      .meta({ description: 'Between probes; counted in whole seconds' }),
    probes: z.int().min(1).max(mostProbes).default(3).meta({ description: 'Unanswered probes that end a connection' }),
    userTimeout: duration({ maxMs: 0x7fff_ffff }).prefault(0).meta({
      description: 'A connection whose sent bytes nobody acknowledges ends after this time; 0: as the system is set',
    }),
  })
  .meta({ title: 'tcpKeepAlive' })
