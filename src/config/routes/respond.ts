/** What the proxy answers itself: `routes[].respond` and, in place of a failure, `routes[].fallback`. */
import * as z from 'zod'
import { words } from '../forms/not-yet.js'
import { headerLines } from './headers.js'

export const respond = z
  .strictObject({
    status: z.int().min(200).max(599).default(200).meta({ description: 'Status' }),
    headers: headerLines.prefault({}).meta({ description: 'Lines; text without a content-type is text/plain' }),
    body: z.string().max(1_048_576).default('').meta({ description: 'Body' }),
  })
  .superRefine(({ status, body }, context) => {
    if ([204, 205, 304].includes(status) && body !== '')
      context.addIssue({ code: 'custom', path: ['body'], message: `an answer ${status} has no body` })
  })
  .meta({ title: 'respond' })

const cause = words(['no-healthy-upstream', 'overflow', 'timeout', 'connect-failure', 'reset'], ['rate-limited'])

export const fallback = z
  .strictObject({
    on: z.array(cause).min(1).max(8).meta({ description: 'Failures that it stands in for' }),
    respond: respond,
  })
  .meta({ title: 'fallback', description: 'Answered when forwarding failed before the answer began.' })
