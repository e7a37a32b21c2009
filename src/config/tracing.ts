/** `tracing`: whether traces are begun and continued here. */
import * as z from 'zod'
import { notYetKeys } from './forms/not-yet.js'

const form = /^(\d{1,3}(?:\.\d{1,4})?)%$/

/** A share written with a percent sign in, millionths out. */
function share() {
  return z
    .string()
    .transform((text, context): number => {
      const percent = Number(form.exec(text)?.[1] ?? Number.NaN)
      if (percent <= 100) return Math.round(percent * 10_000)
      const message = `${JSON.stringify(text)} is not a share; write it with a percent sign, such as 1% or 0.01%`
      context.issues.push({ code: 'custom', input: text, message })
      return z.NEVER
    })
    .meta({ form: 'share', pattern: form.source })
}

export const tracing = z
  .strictObject({
    sampling: share()
      .prefault('1%')
      .meta({ description: 'Of the traces that begin here; decided by the request id, alike on every hop' }),
    ...notYetKeys('exporters', 'exporter', 'otlp', 'zipkin', 'tags'),
  })
  .meta({
    title: 'tracing',
    description:
      'Every exchange is a span: its trace (W3C or B3, one line or several) goes on to the endpoint with our span as the parent, in the form in which it came and as `traceparent`; without one, a trace begins. The caller’s decision to sample stands. Without this section the lines pass untouched, and record and log have the id.',
  })
