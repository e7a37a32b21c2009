/**
 * Durations as people write them, GEP-2257 (`1h2m3s4ms`), and as the rest of Weft counts them: whole milliseconds.
 *
 * Invariant: a plain number is refused except 0, because its unit would be a guess.
 */
import * as z from 'zod'
import { notYetMark } from './not-yet.js'

const unitMs = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
const form = /^(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?(?:(\d{1,5})ms)?$/

/** The largest duration that fits the engine's 32-bit milliseconds. */
const longestMs = 0xffff_ffff

/** Milliseconds of a GEP-2257 duration, or null when the text is not one. */
export function parseDuration(text: string): number | null {
  const match = form.exec(text)
  if (match === null || text === '') return null
  const [h, m, s, ms] = match.slice(1).map((digits) => Number(digits ?? 0)) as [number, number, number, number]
  return h * unitMs.h + m * unitMs.m + s * unitMs.s + ms * unitMs.ms
}

/** The shortest GEP-2257 text of a number of milliseconds. */
export function formatDuration(totalMs: number): string {
  let rest = totalMs
  let text = ''
  for (const [unit, size] of Object.entries(unitMs)) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}

export interface DurationOptions {
  /** Guards settings for which 0 has no meaning. */
  minMs?: number
  /** Where the kernel or a format has a bound of its own. */
  maxMs?: number
  /** Words that will stand in place of a duration in a later version. */
  later?: readonly string[]
}

/** The schema of a duration: text in, milliseconds out. */
export function duration({ minMs = 0, maxMs = longestMs, later = [] }: DurationOptions = {}) {
  return z
    .union([z.string(), z.number()])
    .transform((value, context): number => {
      const ms = value === 0 ? 0 : typeof value === 'number' ? null : parseDuration(value)
      if (ms !== null && ms >= minMs && ms <= maxMs) return ms
      const params = later.includes(String(value)) ? notYetMark : {}
      context.issues.push({ code: 'custom', input: value, message: refusal(value, ms, minMs, maxMs), params })
      return z.NEVER
    })
    .meta({ form: 'duration', pattern: form.source })
}

function refusal(value: string | number, ms: number | null, minMs: number, maxMs: number): string {
  if (ms === null) return `${JSON.stringify(value)} is not a duration; write it with units, such as 1h2m3s4ms or 250ms`
  if (ms < minMs) return `must be at least ${formatDuration(minMs)}`
  return `must be at most ${formatDuration(maxMs)}`
}
