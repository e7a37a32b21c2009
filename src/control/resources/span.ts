/** Durations in resources: GEP-2257 (`1h2m3s4ms`) and protobuf's decimal seconds (`0.5s`), as milliseconds. */
import * as z from 'zod'
import { parseDuration } from '../../config/forms/duration.js'

const decimalSeconds = /^(\d{1,9}(?:\.\d{1,9})?)s$/

export function parseSpan(text: string): number | null {
  const seconds = decimalSeconds.exec(text)?.[1]
  return seconds === undefined ? parseDuration(text) : Math.round(Number(seconds) * 1000)
}

export function span({ minMs = 0 }: { minMs?: number } = {}) {
  return z.string().transform((text, context): number => {
    const ms = parseSpan(text)
    if (ms !== null && ms >= minMs) return ms
    const message =
      ms === null
        ? `${JSON.stringify(text)} is not a duration; write it with units, such as 10s, 0.5s or 250ms`
        : `must be at least ${minMs}ms`
    context.issues.push({ code: 'custom', input: text, message })
    return z.NEVER
  })
}
