/** `clusters[].healthCheck`: endpoints are asked at intervals whether they should get requests. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { notYetKeys, words } from '../forms/not-yet.js'

/** A status or a range of them, `200` or `200-299`, as the range that it is. */
const statuses = z
  .union([z.int(), z.string()])
  .transform((value, context): [number, number] => {
    const match = /^(\d{3})(?:-(\d{3}))?$/.exec(String(value))
    const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])]
    if (match !== null && from >= 200 && to <= 599 && from <= to) return [from, to]
    const message = `${JSON.stringify(value)} is neither a status from 200 to 599 nor a range such as 200-299`
    context.issues.push({ code: 'custom', input: value, message })
    return z.NEVER
  })
  .meta({ form: 'status or range' })

/** What only an HTTP check has. Absent unless written, so that a TCP check does not carry what it would not use. */
const http = {
  path: z
    .string()
    .regex(/^\/[!-~]*$/, 'must begin with / and contain no spaces')
    .optional()
    .meta({ description: 'Path and query of the request; `/` when absent' }),
  host: z
    .string()
    .regex(/^[!-~]+$/, 'must be a host, without spaces')
    .optional()
    .meta({ description: "The `host` header; the endpoint's address when absent" }),
  expectedStatuses: z
    .array(statuses)
    .min(1)
    .optional()
    .meta({ description: 'Statuses of a healthy endpoint, as `200` or `200-299`; 200 when absent' }),
  retriableStatuses: z
    .array(statuses)
    .min(1)
    .optional()
    .meta({ description: 'Further statuses of which only `unhealthyThreshold` in a row count' }),
  reuseConnection: z
    .boolean()
    .optional()
    .meta({ description: 'Checks follow each other on one connection; true when absent' }),
}

export const healthCheck = z
  .strictObject({
    protocol: words(['http', 'tcp'], ['grpc']).meta({
      description: 'What is asked; `tcp`: that it accepts a connection',
    }),
    ...http,
    interval: duration({ minMs: 100 }).prefault('5s').meta({ description: 'Between two checks of an endpoint' }),
    intervalJitter: duration()
      .nullable()
      .default(null)
      .meta({ description: 'Longest random addition to each interval; absent: a tenth of it' }),
    unhealthyInterval: interval('The same while checks fail; absent: `interval`'),
    unhealthyEdgeInterval: interval('After a failure that is not enough yet; absent: `unhealthyInterval`'),
    healthyEdgeInterval: interval('After a success that is not enough yet; absent: `interval`'),
    noTrafficInterval: interval('While the cluster has never had a request; absent: as if it had'),
    initialJitter: duration().prefault('0s').meta({ description: 'Longest random wait before the first check' }),
    timeout: duration({ minMs: 1 }).prefault('1s').meta({ description: 'For one check, connecting included' }),
    healthyThreshold: threshold(2, 'Successes in a row until requests come again; the very first check needs one'),
    unhealthyThreshold: threshold(
      3,
      'Failures in a row until requests stop; a status that is not expected, or a refused connection, is enough at once',
    ),
    ...notYetKeys('method', 'headers', 'service', 'tls'),
  })
  .superRefine((check, context) => {
    if (check.protocol !== 'tcp') return
    for (const key of Object.keys(http) as (keyof typeof http)[]) {
      if (check[key] === undefined) continue
      context.addIssue({ code: 'custom', path: [key], message: 'is for `protocol: http` only' })
    }
  })
  .transform(
    ({
      protocol,
      path = '/',
      host = '',
      expectedStatuses = [[200, 200]],
      retriableStatuses = [],
      reuseConnection = true,
      ...check
    }) => ({
      ...check,
      intervalJitter: check.intervalJitter ?? Math.floor(check.interval / 10),
      unhealthyInterval: check.unhealthyInterval ?? check.interval,
      unhealthyEdgeInterval: check.unhealthyEdgeInterval ?? check.unhealthyInterval ?? check.interval,
      healthyEdgeInterval: check.healthyEdgeInterval ?? check.interval,
      http: protocol === 'http' ? { path, host, expectedStatuses, retriableStatuses } : null,
      reuseConnection,
    }),
  )
  .meta({ title: 'healthCheck' })

function interval(description: string) {
  return duration({ minMs: 100 }).nullable().default(null).meta({ description })
}

function threshold(fallback: number, description: string) {
  return z.int().min(1).max(100).default(fallback).meta({ description })
}
