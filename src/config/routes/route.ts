/** `routes[]`: which requests a route takes, what becomes of them, and how long they may last. */
import * as z from 'zod'
import { filters } from '../filters/filter.js'
import { duration } from '../forms/duration.js'
import { expression } from '../forms/expression.js'
import { hostPattern } from '../forms/host.js'
import { name } from '../forms/name.js'
import { notYetKeys } from '../forms/not-yet.js'
import { fault } from './fault.js'
import { forward, sticky } from './forward.js'
import { headerChanges } from './headers.js'
import { lane } from './lane.js'
import { routeMatch } from './match.js'
import { mirror } from './mirror.js'
import { redirect, rewrite } from './redirect.js'
import { fallback, respond } from './respond.js'
import { retry } from './retry.js'

export const route = z
  .strictObject({
    name: name().meta({ description: 'Unique name' }),
    listeners: z
      .array(name())
      .min(1)
      .nullable()
      .default(null)
      .meta({ description: 'Listeners whose requests it takes; absent: every one' }),
    hosts: z.array(hostPattern()).max(1000).prefault([]).meta({ description: 'Hosts that it takes; none: every host' }),
    matches: z
      .array(routeMatch)
      .max(1000)
      .prefault([])
      .meta({ description: 'It takes what fits one of them; none: every request' }),
    when: expression().nullable().default(null).meta({
      description:
        "A condition in CEL that must hold besides; it reads request.method, .host, .path, .size, .headers['name'], .query['name'], .cookies['name'] and source.address",
    }),
    forward: forward.nullable().default(null).meta({ description: 'Clusters that answer' }),
    redirect: redirect.nullable().default(null),
    respond: respond.nullable().default(null),
    sticky: sticky.nullable().default(null),
    rewrite: rewrite.nullable().default(null),
    requestHeaders: headerChanges.nullable().default(null),
    responseHeaders: headerChanges.nullable().default(null),
    fallback: fallback.nullable().default(null),
    timeout: duration().prefault('15s').meta({
      description:
        'Whole exchange without what streams: from the last byte of the request to the first of the answer, retries included; 0 turns it off',
    }),
    firstByteTimeout: duration().prefault('15s').meta({ description: 'Until the answer begins; 0 turns it off' }),
    idleTimeout: duration().prefault('5m').meta({ description: 'Without a byte in either direction; 0 turns it off' }),
    retry: retry.nullable().default(null).meta({ description: 'Absent: an attempt that failed is not repeated' }),
    filters: filters(),
    fault: fault.nullable().default(null),
    mirror,
    lane,
    ...notYetKeys('sni', 'grpc'),
  })
  .meta({
    title: 'routes[]',
    description:
      'Exactly one of `forward`, `redirect` and `respond`. Of several routes that take a request the most specific one does: exact host before longest `*.suffix` before any; then exact path, regex, longest prefix; then a method, more headers (`when` counts as one), more of the query; then the one that stands first.',
  })

export type ResolvedRoute = z.output<typeof route>
