/**
 * Keys and values that are known by name but do not work yet. They stand in the declaration beside those that work, so
 * that a configuration written for a later version is refused with its reason rather than as a typing mistake.
 *
 * Invariant: nothing marked here is ever ignored in silence.
 */
import * as z from 'zod'

/** The mark that `validate` reads from an issue's `params`. */
export const notYetMark = { weft: 'not-yet' } as const

/** A known key without function: absent is fine, anything else is refused. `hint`: what there is in its place. */
export function notYet(hint?: string) {
  return z.custom<undefined>((value) => value === undefined, { params: { ...notYetMark, hint } }).optional()
}

/** Known keys without function, as a shape to spread into an object's declaration. */
export function notYetKeys<const Name extends string>(...names: Name[]) {
  return Object.fromEntries(names.map((name) => [name, notYet()])) as Record<Name, ReturnType<typeof notYet>>
}

/** One of `works`; a word of `later` is refused as not working yet, any other as unknown. `hint`: what there is in its place. */
export function words<const Word extends string>(
  works: readonly [Word, ...Word[]],
  later: readonly string[],
  hint?: string,
) {
  return z
    .string()
    .superRefine((value, context) => {
      if ((works as readonly string[]).includes(value)) return
      if (later.includes(value)) context.addIssue({ code: 'custom', params: { ...notYetMark, hint }, message: '' })
      else context.addIssue({ code: 'custom', message: `must be one of: ${works.join(', ')}` })
    })
    .transform((value) => value as Word)
    .meta({ enum: [...works] })
}
