/** `discovery: { type: file }`: the endpoints stand in a file that is watched. */
import * as z from 'zod'

export const fileDiscovery = z
  .strictObject({
    type: z.literal('file'),
    path: z
      .string()
      .min(1)
      .meta({ description: 'File with a list of endpoints, relative to the configuration; watched' }),
  })
  .meta({ title: 'file' })
