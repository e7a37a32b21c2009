/** `listeners[].overrides`: what callers may say of the way of their own requests. */
import * as z from 'zod'
import { headerName } from '../forms/header-name.js'

export const overrides = z
  .strictObject({
    trusted: z.boolean().nullable().default(null).meta({
      description:
        'Callers are believed; else their lane and their `l5d-dtab` are removed and counted. Absent: not those of a listener with direction `gateway`',
    }),
    laneHeader: headerName
      .prefault('x-weft-lane')
      .meta({ description: 'Names the lane of a request; goes on hop by hop' }),
    dtab: z.boolean().default(false).meta({
      description:
        'Callers send a request elsewhere with Linkerd 1’s `l5d-dtab: /svc/HOST => /cluster/NAME` (or `/route/NAME`); with `l5d-add-context: true` the answer says where it went',
    }),
  })
  .meta({ title: 'overrides' })
