/** A filter in TypeScript that stands in the configuration as a value, made by `defineFilter`. */
import * as z from 'zod'

/** As much as the configuration must know of one. */
export interface Definition {
  name: string
}

export const inline = z
  .object({
    type: z.literal('inline'),
    definition: z.custom<Definition>(
      (value) => typeof (value as Partial<Definition> | null | undefined)?.name === 'string',
      { error: 'is no filter: make it with defineFilter; a file names its module' },
    ),
  })
  // Of values only: no file can hold one.
  .meta({ title: 'inline', valueOnly: true })
