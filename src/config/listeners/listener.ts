/** `listeners[]`: the doors. Each binds one address and says how much of the network it takes in at once. */
import * as z from 'zod'
import { filters } from '../filters/filter.js'
import { address, unixPrefix } from '../forms/address.js'
import { duration } from '../forms/duration.js'
import { headerName } from '../forms/header-name.js'
import { name } from '../forms/name.js'
import { notYetKeys, words } from '../forms/not-yet.js'
import { size } from '../forms/size.js'
import { direction } from './direction.js'
import { overload } from './overload.js'
import { overrides } from './overrides.js'
import { sockets } from './socket.js'

const limits = z
  .strictObject({
    maxConnections: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .meta({ description: 'Open downstream connections; further ones are answered 503 and closed' }),
    maxHeaderBytes: size({ min: 1024, max: 1_048_576 })
      .prefault(65_536)
      .meta({ description: 'Bytes of a request head; more is answered 431' }),
    maxHeaders: z.int().min(1).max(1000).default(100).meta({ description: 'Header lines; more is answered 431' }),
    headersTimeout: duration({ minMs: 1 })
      .prefault('10s')
      .meta({ description: 'A request head must be complete within this time' }),
    idleTimeout: duration({ minMs: 1 })
      .prefault('1h')
      .meta({ description: 'A connection without a request is closed after this time' }),
    maxRequestsPerConnection: z
      .int()
      .min(0)
      .max(0xffff_ffff)
      .default(0)
      .meta({ description: 'A connection is closed after so many requests; 0 means no limit' }),
    maxRequestBytes: size({ min: 0, max: 0xffff_ffff })
      .prefault(0)
      .meta({ description: 'Bytes of a request body; more is answered 413; 0 means no limit' }),
  })
  .meta({ title: 'limits' })

const accessLog = z
  .strictObject({
    path: z.string().min(1).meta({ description: 'File, relative to the configuration; /dev/stdout is the output' }),
    format: z
      .string()
      .min(1)
      .default('text')
      .meta({ description: '`text` (the default format of Envoy), `json`, or a format string' }),
  })
  .meta({ title: 'accessLog' })

export const listener = z
  .strictObject({
    name: name().meta({ description: 'Unique name' }),
    address: address({ minPort: 0, unix: true, memory: true }).meta({
      description:
        'Where to listen; port 0 takes a free one, `unix:@name` is a name without a file; `memory` takes requests of `weftmesh/undici` only',
    }),
    socketMode: z
      .string()
      .regex(/^0?[0-7]{3}$/, { error: 'is not a file mode; write three octal digits in quotes, such as "660"' })
      .nullable()
      .default(null)
      .meta({ description: 'Permissions of a unix socket’s file; absent: as the process’s umask has it' }),
    protocol: words(['http'], ['tcp', 'tls', 'auto']).prefault('http').meta({ description: 'What is spoken here' }),
    direction,
    engine: z.enum(['auto', 'native', 'uws']).default('auto').meta({
      description:
        'Who accepts connections: `native` is the engine in Rust, `uws` uWebSockets.js with the same pipeline behind it, for HTTP/1.1 over TCP; `auto` is `uws` for a listener with `sockets`, else `native`',
    }),
    serviceHeader: headerName.nullable().default(null).meta({
      description: 'Header that names the service: its value is matched as the host. Absent in a request: the Host is',
    }),
    limits: limits.prefault({}),
    accessLog: accessLog.nullable().default(null).meta({ description: 'Absent: no access log' }),
    abortOnClose: z
      .boolean()
      .default(false)
      .meta({ description: 'A client that closes its sending side amid a request aborts it' }),
    trustedHops: z.int().min(0).max(32).default(0).meta({
      description:
        'Proxies before this listener that are believed: the client is the n-th address from the right of x-forwarded-for, and x-forwarded-proto stays',
    }),
    filters: filters(),
    sockets: sockets(),
    overrides: overrides.prefault({}),
    overload: overload.nullable().default(null).meta({ description: 'Absent: no request is shed' }),
    ...notYetKeys('tls', 'transparent', 'forwardProxy', 'proxyProtocol'),
  })
  .superRefine(({ address, socketMode }, context) => {
    if (socketMode === null || address.startsWith(unixPrefix)) return
    context.addIssue({ code: 'custom', message: 'only a unix socket has a mode', path: ['socketMode'] })
  })
  .meta({ title: 'listeners[]', description: 'A door: one address, its limits and its access log.' })
