/** `requestHeaders`, `responseHeaders`: lines that a route changes in the heads it passes on. */
import * as z from 'zod'
import { headerNameForm } from '../forms/header-name.js'

/** Lines that the proxy itself writes or that belong to one connection; the engine refuses them too. */
const reserved: Record<string, string> = {
  host: 'the host is changed with `rewrite: { host: … }`',
  ...Object.fromEntries(
    [
      'connection',
      'content-length',
      'expect',
      'keep-alive',
      'proxy-connection',
      'te',
      'trailer',
      'transfer-encoding',
      'upgrade',
    ].map((name) => [name, `${name} belongs to the framing of the message, which is the proxy's own`]),
  ),
  ...Object.fromEntries(
    ['date', 'via', 'x-forwarded-for', 'x-forwarded-proto', 'x-request-id'].map((name) => [
      name,
      `${name} is written by the proxy itself`,
    ]),
  ),
}

/** The name of a line that may be changed. */
export const lineName = z.string().superRefine((text, context) => {
  const message = headerNameForm.test(text) ? reserved[text.toLowerCase()] : `${text} is not a header name`
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

/** What may stand in a line. */
export const lineValue = z
  .union([z.string(), z.number().transform(String)])
  .refine((text) => /^[\t\x20-\x7e\x80-\uffff]*$/.test(text) && text.length <= 8192, {
    error: 'must be at most 8192 characters without control characters',
  })
  .meta({ form: 'text' })

/** Lines by their names. */
export const headerLines = z.record(lineName, lineValue).meta({ form: 'name: value' })

export const headerChanges = z
  .strictObject({
    set: headerLines.prefault({}).meta({ description: 'In place of every line of that name' }),
    add: headerLines.prefault({}).meta({ description: 'Beside the lines of that name' }),
    remove: z.array(lineName).max(64).prefault([]).meta({ description: 'Every line of these names' }),
  })
  .superRefine((changes, context) => {
    const seen = new Set<string>()
    for (const name of [...Object.keys(changes.set), ...Object.keys(changes.add), ...changes.remove]) {
      const lower = name.toLowerCase()
      if (seen.has(lower)) context.addIssue({ code: 'custom', message: `${name} is changed twice` })
      seen.add(lower)
    }
  })
  .meta({ title: 'header changes' })
