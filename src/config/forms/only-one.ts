/** Objects of which exactly one key says what is meant: `{ exact: … }` or `{ prefix: … }`. */
import type { z } from 'zod'

/** A refinement: exactly one of these keys is written. */
export function onlyOne<const Key extends string>(...keys: readonly Key[]) {
  return (value: Partial<Record<Key, unknown>>, context: z.core.$RefinementCtx) => {
    const written = keys.filter((key) => value[key] !== undefined)
    if (written.length === 1) return
    const message =
      written.length === 0
        ? `must have one of: ${keys.join(', ')}`
        : `must have only one of ${written.map((key) => `\`${key}\``).join(' and ')}`
    context.addIssue({ code: 'custom', message })
  }
}
