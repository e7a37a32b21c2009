/** `filterPool`: the threads in which filters with `runIn: pool` run. */
import * as z from 'zod'
import { size } from '../forms/size.js'

export const filterPool = z
  .strictObject({
    threads: z.int().min(1).max(64).default(2).meta({
      description: 'Threads for each worker; started only when a filter runs in the pool. A thread needs 5 MiB',
    }),
    maxQueue: z.int().min(1).max(65_536).default(1024).meta({
      description: 'Calls of each worker that wait or run; beyond it filters have their `onFailure` applied',
    }),
    maxHeap: size({ min: 2 ** 24, max: 2 ** 32 })
      .prefault('64MiB')
      .meta({ description: 'JavaScript heap of a thread; one that needs more is ended and replaced' }),
  })
  .meta({ title: 'filterPool', description: 'Threads for filters with `runIn: pool`.' })
