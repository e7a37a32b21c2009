/** `routes[].redirect` and `routes[].rewrite`: another place, told to the client or asked of the endpoint. */
import * as z from 'zod'
import { authority, host } from '../forms/host.js'
import { urlPath } from '../forms/url-path.js'

const pathChange = {
  path: urlPath().nullable().default(null).meta({ description: 'In place of the whole path' }),
  pathPrefix: urlPath().nullable().default(null).meta({ description: 'In place of the prefix that was matched' }),
}

type Changes = Record<string, unknown> & { path: string | null; pathPrefix: string | null }

function changesSomething(keys: readonly string[]) {
  return (value: Changes, context: z.core.$RefinementCtx) => {
    if (keys.every((key) => value[key] === null))
      context.addIssue({ code: 'custom', message: `must have at least one of: ${keys.join(', ')}` })
    if (value.path !== null && value.pathPrefix !== null)
      context.addIssue({ code: 'custom', message: 'must have only one of `path` and `pathPrefix`' })
  }
}

export const redirect = z
  .strictObject({
    scheme: z.enum(['http', 'https']).nullable().default(null).meta({ description: 'Absent: the one that was used' }),
    host: host().nullable().default(null).meta({ description: 'Absent: the one that was asked for' }),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .nullable()
      .default(null)
      .meta({ description: 'Absent: that of `scheme` where it is set, else the one that was asked for' }),
    ...pathChange,
    status: z
      .literal([301, 302, 303, 307, 308])
      .default(302)
      .meta({ description: '301, 302, 303, 307 or 308', form: 'number' }),
  })
  .superRefine(changesSomething(['scheme', 'host', 'port', 'path', 'pathPrefix']))
  .meta({ title: 'redirect', description: 'What is absent stays as it was asked for; the query always stays.' })

export const rewrite = z
  .strictObject({
    ...pathChange,
    host: authority().nullable().default(null).meta({ description: 'Absent: the one that was asked for' }),
  })
  .superRefine(changesSomething(['path', 'pathPrefix', 'host']))
  .meta({
    title: 'rewrite',
    description: 'What the endpoint is asked instead; the path asked for goes along as x-envoy-original-path.',
  })
