/** `listeners[].direction`: whose requests a listener takes. */
import { words } from '../forms/not-yet.js'

export type Direction = 'inbound' | 'outbound' | 'gateway'

export const direction = words(['inbound', 'outbound', 'gateway'], []).nullable().default(null).meta({
  description:
    'Whose requests come in: others’ to the application beside the proxy (`inbound`), the application’s own (`outbound`: in `weft run -- app` served until the application has ended), anybody’s (`gateway`). Absent: by the name, `inbound` or `inbound-…`, `outbound` or `outbound-…`, else `gateway`',
})

/** The direction of a listener that does not say. */
export function directionOfName(name: string): Direction {
  const [word] = name.split('-', 1)
  return word === 'inbound' || word === 'outbound' ? word : 'gateway'
}
