/**
 * Sizes as people write them: bytes as a number, or text with a binary or decimal unit (`64KiB`, `1MB`).
 */
import * as z from 'zod'

const units: Record<string, number> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
}

/** Bytes of a size, or null when the text is not one. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,10}) ?([a-zA-Z]*)$/.exec(text)
  const unit = units[match?.[2] ?? '']
  return match === null || unit === undefined ? null : Number(match[1]) * unit
}

/** The schema of a size: bytes or text in, bytes out. */
export function size({ min, max }: { min: number; max: number }) {
  return z
    .union([z.number(), z.string()])
    .transform((value, context): number => {
      const bytes = typeof value === 'number' ? value : parseSize(value)
      if (bytes !== null && Number.isInteger(bytes) && bytes >= min && bytes <= max) return bytes
      const message =
        bytes === null || !Number.isInteger(bytes)
          ? `${JSON.stringify(value)} is not a size; write bytes, or a number with KiB, MiB, kB or MB`
          : `must be between ${min} and ${max} bytes`
      context.issues.push({ code: 'custom', input: value, message })
      return z.NEVER
    })
    .meta({ form: 'size' })
}
