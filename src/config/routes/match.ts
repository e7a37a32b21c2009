/** `routes[].matches[]`: what a route asks of a request. Everything in one match must hold; one of them is enough. */
import * as z from 'zod'
import { headerName } from '../forms/header-name.js'
import { notYetKeys } from '../forms/not-yet.js'
import { onlyOne } from '../forms/only-one.js'
import { urlPath } from '../forms/url-path.js'

/** Compiled by the engine, in linear time; `weft validate` asks it. */
const regex = z.string().min(1).max(4096)

const path = z
  .strictObject({
    exact: urlPath().optional().meta({ description: 'The whole path' }),
    prefix: urlPath().optional().meta({ description: 'By element: `/a` takes `/a` and `/a/b`, not `/ab`' }),
    regex: regex
      .optional()
      .meta({ description: 'Over the whole path, in linear time; no look-around, no back-references' }),
  })
  .superRefine(onlyOne('exact', 'prefix', 'regex'))
  .meta({ title: 'path', description: 'Of the normalised path, without the query; one of these.' })

const valueTests = {
  exact: z.string().optional().meta({ description: 'The whole value' }),
  prefix: z.string().min(1).optional().meta({ description: 'Its beginning' }),
  suffix: z.string().min(1).optional().meta({ description: 'Its end' }),
  regex: regex.optional().meta({ description: 'Over the whole value, in linear time' }),
  present: z.literal(true).optional().meta({ description: 'Any value' }),
  absent: z.literal(true).optional().meta({ description: 'No value' }),
}
const oneTest = onlyOne('exact', 'prefix', 'suffix', 'regex', 'present', 'absent')

export const header = z
  .strictObject({
    name: headerName.meta({ description: 'In any case; lines of one name are joined by a comma' }),
    ...valueTests,
  })
  .superRefine(oneTest)
  .meta({ title: 'headers[]', description: 'A name and one of these.' })

const parameter = z
  .strictObject({
    name: z.string().min(1).max(256).meta({ description: 'Case counts; the first of its name is compared, decoded' }),
    ...valueTests,
  })
  .superRefine(oneTest)
  .meta({ title: 'query[]', description: 'A name and one of these.' })

const method = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/, { error: 'is not a method' })
  .superRefine((text, context) => {
    if (/^(get|head|post|put|delete|options|patch|trace)$/i.test(text) && text !== text.toUpperCase())
      context.addIssue({
        code: 'custom',
        message: `methods are case-sensitive: write ${text.toUpperCase()}, not ${text}`,
      })
  })

export const routeMatch = z
  .strictObject({
    path: path.prefault({ prefix: '/' }),
    method: method.nullable().default(null).meta({ description: 'Absent: any' }),
    headers: z.array(header).max(32).prefault([]).meta({ description: 'All of them must hold' }),
    query: z.array(parameter).max(32).prefault([]).meta({ description: 'All of them must hold' }),
    ...notYetKeys('grpc'),
  })
  .meta({ title: 'matches[]' })

export type ResolvedMatch = z.output<typeof routeMatch>
export type ResolvedTest = ResolvedMatch['query'][number]
