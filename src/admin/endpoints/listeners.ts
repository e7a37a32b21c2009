/** `/listeners`: where the proxy really listens. */
import { type AdminEndpoint, columns, jsonAnswer, textAnswer } from '../endpoint.js'

export const listeners: AdminEndpoint = {
  method: 'GET',
  path: '/listeners',
  about: 'listeners with the addresses that they are bound to; ?format=json',
  answer({ proxy }, query) {
    const planned = new Map(proxy.plan().listeners.map(({ name, protocol }) => [name, protocol]))
    const bound = proxy.stats().listeners.map(({ name, address, direction, door }) => ({
      name,
      address,
      direction,
      protocol: planned.get(name) ?? '-',
      engine: door && address.includes(':') ? 'uws' : 'native',
    }))
    if (query.get('format') === 'json') return jsonAnswer(bound)
    const rows = bound.map(({ name, address, direction, protocol, engine }) => [
      name,
      address,
      direction,
      protocol,
      engine,
    ])
    return textAnswer(columns([['listener', 'address', 'direction', 'protocol', 'engine'], ...rows]))
  },
}
