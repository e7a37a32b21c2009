/** `records`: what of each exchange is kept for later questions, and what of it is never kept. */
import * as z from 'zod'
import { headerName } from './forms/header-name.js'

export const records = z
  .strictObject({
    ring: z
      .int()
      .min(0)
      .max(131_072)
      .default(16_384)
      .meta({ description: 'Decision records kept per worker; 128 bytes each, and as much again for their text' }),
    headers: z.array(headerName).max(32).prefault([]).meta({ description: 'Request headers kept in each record' }),
    redact: z
      .array(headerName)
      .max(32)
      .prefault(['authorization', 'cookie'])
      .meta({ description: 'Headers whose values are never kept' }),
  })
  .meta({ title: 'records', description: 'The decision records that logs, metrics and `why` read.' })
