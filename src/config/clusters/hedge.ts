/** `clusters[].hedge`: a second attempt beside one that takes long. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'

export const hedge = z
  .strictObject({
    afterPercentile: z.int().min(1).max(99).default(90).meta({
      description:
        'An attempt gets a second one beside it when it takes longer than so many per cent of the cluster’s answers of the last seconds',
    }),
    minDelay: duration().prefault('10ms').meta({ description: 'And longer than this' }),
    maxExtraPercent: z.int().min(1).max(100).default(15).meta({
      description: 'Second attempts per hundred requests, at most, over all workers',
    }),
  })
  .meta({
    title: 'hedge',
    description:
      'The second attempt goes to another endpoint while the first goes on; the first answer that no policy would repeat wins. Only requests that may be repeated get one (GET, HEAD, OPTIONS, TRACE, PUT, DELETE), when they are sent and at hand: a body needs `retry.maxBodyBytes`.',
  })
