/** A share of requests as a number of percent; millionths out. */
import * as z from 'zod'

export function percent() {
  return z
    .number()
    .min(0)
    .max(100)
    .transform((percent) => Math.round(percent * 10_000))
}
