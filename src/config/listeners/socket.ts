/** `listeners[].sockets[]`: paths whose WebSockets end here, message by message. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { name } from '../forms/name.js'
import { onlyOne } from '../forms/only-one.js'
import { size } from '../forms/size.js'
import { pathFault } from '../forms/url-path.js'
import { module } from './module.js'

/** The mark of what `defineSocket` returns; one symbol for all copies of the package. */
const definitionMark = Symbol.for('weftmesh.socket')

const path = z
  .string()
  .max(1024)
  .superRefine((text, context) => {
    const message = /[*:]/.test(text.replace(/\/\*$/, '/'))
      ? 'is one path, or everything below one: /live, /live/*'
      : pathFault(text.replace(/\*$/, ''))
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
  .meta({ form: 'path, or path/*', description: 'Which upgrade requests it takes: one path, or all below one' })

const handler = z
  .custom<object>((value) => typeof value === 'object' && value !== null && definitionMark in value, {
    error: 'must be what defineSocket returned; in a file, name a `module`',
  })
  .meta({
    form: 'defineSocket({ … })',
    description: 'The definition itself, in a configuration that is a value and served on the caller’s own loop',
  })

export const socket = z
  .strictObject({
    path,
    module: module('defineSocket', 'must name a file').optional(),
    handler: handler.optional(),
    cluster: name().optional().meta({ description: 'A cluster whose endpoints speak WebSocket' }),
    options: z.unknown().optional().meta({ form: 'any', description: 'For the module; checked with its own schema' }),
    maxMessageBytes: size({ min: 1, max: 67_108_864 }).prefault('1MiB').meta({
      description: 'A larger message closes its socket with 1009; one of more than twice the size breaks it off',
    }),
    maxBufferedBytes: size({ min: 1024, max: 67_108_864 }).prefault('1MiB').meta({
      description: 'What may wait for a client, or from one for its endpoint; more closes the client with 1013',
    }),
    idleTimeout: duration({ maxMs: 960_000 })
      .refine((ms) => ms === 0 || ms >= 8_000, { error: 'must be 0, or at least 8s' })
      .prefault('2m')
      .meta({ description: 'Without a message or a pong, pings are sent in time; 0: never' }),
    compression: z.enum(['none', 'shared', 'dedicated']).default('none').meta({
      description:
        'permessage-deflate where the other side wants it, for messages of 128 bytes to 256 KiB: `shared` keeps nothing between messages, `dedicated` a window of 4 KiB for each socket',
    }),
  })
  .superRefine(onlyOne('module', 'handler', 'cluster'))
  .superRefine(({ cluster, options }, context) => {
    if (cluster === undefined || options === undefined) return
    context.addIssue({ code: 'custom', message: 'only a module has options', path: ['options'] })
  })
  .meta({ title: 'sockets[]', description: 'Exactly one of `module`, `handler` and `cluster`.' })

export const sockets = () =>
  z
    .array(socket)
    .max(256)
    .superRefine((written, context) => {
      const first = new Map<string, number>()
      written.forEach(({ path }, index) => {
        const earlier = first.get(path)
        if (earlier === undefined) first.set(path, index)
        else
          context.addIssue({
            code: 'custom',
            message: `is already the path of sockets[${earlier}]`,
            path: [index, 'path'],
          })
      })
    })
    .prefault([])
    .meta({ description: 'WebSockets that end here: a listener that has some is accepted for by uWebSockets.js' })

export type ResolvedSocket = z.output<typeof socket>
