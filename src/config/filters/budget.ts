/** `budget`: what a request may still cost, from hop to hop. */
import * as z from 'zod'

export const budget = z
  .strictObject({
    type: z.literal('budget'),
    key: z.string().min(1).meta({
      description:
        'File with the keys, one a line of at least 16 characters: the first signs, each is believed. Relative to the configuration; read when a configuration comes into force',
    }),
    retries: z.int().min(0).max(1000).default(3).meta({
      description: 'Retries that a request which brings no budget may cause, over all hops together',
    }),
  })
  .meta({
    title: 'budget',
    description:
      'Carries the time and the retries that are left from hop to hop, signed, in `x-weft-budget`. A budget that is forged, used before or too old is ignored and counted.',
  })
