/** From a listener's sockets as a configuration has them to sockets that can be mounted: modules are loaded here. */
import { type AnySocket, isSocketDefinition } from './define-socket.js'
import type { Compression } from './library.js'
import type { MountedSocket } from './mount.js'

/** An entry of `listeners[].sockets`, as it is told to threads; `handler` cannot leave its own. */
export interface SocketPlan {
  path: string
  /** URL of the module, with the mark of its content. */
  module: string | null
  handler: object | null
  options: unknown
  maxMessageBytes: number
  maxBufferedBytes: number
  idleTimeoutMs: number
  compression: Compression
}

/** Throws when the entry cannot serve. */
export async function loadSocket({ module, handler, options, ...bounds }: SocketPlan): Promise<MountedSocket> {
  // The codec is loaded where it is needed.
  if (module === null && handler === null) return { ...bounds, answer: (await import('./carried.js')).carried }
  const definition = module === null ? handler : await importDefinition(module)
  if (!isSocketDefinition(definition)) throw new TypeError('it is not what defineSocket returned')
  return { ...bounds, answer: { definition, options: await readOptions(definition, options) } }
}

async function importDefinition(url: string): Promise<unknown> {
  const loaded = (await import(url)) as { default?: unknown }
  // A CommonJS module that was compiled from `export default` has it one step further in.
  const inner = (loaded.default as { default?: unknown } | undefined)?.default
  const found = [loaded.default, inner].find(isSocketDefinition)
  if (found === undefined) {
    throw new TypeError('its default export is no socket: write `export default defineSocket({ … })`')
  }
  return found
}

interface Verdict {
  value?: unknown
  issues?: readonly { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined }[]
}

async function readOptions({ options: schema }: AnySocket, written: unknown): Promise<unknown> {
  if (schema === undefined) return written
  const { value, issues } = (await schema['~standard'].validate(written)) as Verdict
  if (issues === undefined) return value
  const texts = issues.map(({ message, path = [] }) => {
    const steps = path.map((step) => `.${String(typeof step === 'object' ? step.key : step)}`)
    return `options${steps.join('')}: ${message}`
  })
  throw new TypeError(texts.join('; '))
}
