/** Parts of a whole as people write them: `150%`. A plain number is refused, because it might be meant as a factor. */
import * as z from 'zod'

const form = /^(\d{1,6})%$/

/** Text in, a whole number of percent out. */
export function percentage({ min = 0, max = 100 }: { min?: number; max?: number } = {}) {
  return z
    .string({ error: 'must be a percentage, such as 50%' })
    .regex(form, { error: 'must be a percentage, such as 50%' })
    .transform((text) => Number(text.slice(0, -1)))
    .refine((value) => value >= min && value <= max, { error: `must be from ${min}% to ${max}%` })
    .meta({ form: 'percentage' })
}
