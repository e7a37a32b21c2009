/** `bandwidth-limit`: bodies pass no faster than so many bytes a second, all exchanges of this process together. */
import * as z from 'zod'
import { size } from '../forms/size.js'

export const bandwidthLimit = z
  .strictObject({
    type: z.literal('bandwidth-limit'),
    bytesPerSecond: size({ min: 1, max: 0xffff_ffff }).meta({
      description: 'Bytes of bodies a second each way, those of all exchanges that pass this filter together',
    }),
    direction: z.enum(['request', 'response', 'both']).default('both').meta({ description: 'Which bodies' }),
  })
  .meta({
    title: 'bandwidth-limit',
    description:
      'Has bodies wait, so that no more than `bytesPerSecond` pass. What waits is not read; heads, upgrades and local replies are not counted.',
  })
