/**
 * Names of listeners, routes and clusters: they become metric labels and words in logs, so they stay short and plain.
 */
import * as z from 'zod'

export function name() {
  return z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/, {
    error: 'must start with a letter or digit and have at most 128 letters, digits or . _ / -',
  })
}
