/** `/listeners`: where the proxy really listens. */
import { type AdminEndpoint, columns, jsonAnswer, textAnswer } from '../endpoint.js'

export const listeners: AdminEndpoint = {
  method: 'GET',
  path: '/listeners',
  about: 'listeners with the addresses that they are bound to; ?format=json',
  answer({ proxy }, query) {
    const planned = new Map(proxy.plan().listeners.map(({ name, protocol }) => [name, protocol]))
    const bound = proxy.stats().listeners.map(({ name, address, door }) => ({
      name,
      address,
      protocol: planned.get(name) ?? '-',
      engine: door && address.includes(':') ? 'uws' : 'native',
    }))
    if (query.get('format') === 'json') return jsonAnswer(bound)
    const rows = bound.map(({ name, address, protocol, engine }) => [name, address, protocol, engine])
    return textAnswer(columns([['listener', 'address', 'protocol', 'engine'], ...rows]))
  },
}
