/**
 * Parts of a whole as people write them. Where a number might be meant as a factor it is text, `150%`, and a plain number
 * is refused; shares of requests are numbers.
 */
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

/** A share of requests as a number of percent, 0.5 for every 200th; millionths out. */
export function percent() {
  return z
    .number()
    .min(0)
    .max(100)
    .transform((percent) => Math.round(percent * 10_000))
}
