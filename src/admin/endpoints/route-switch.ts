/** POST `/route/switch`: a route's requests go elsewhere at once, until the next reload; with `back` to where they went. */
import { type AdminEndpoint, jsonAnswer } from '../endpoint.js'

export const routeSwitch: AdminEndpoint = {
  method: 'POST',
  path: '/route/switch',
  about:
    "sends a route's requests elsewhere until the next reload; ?route=NAME to=CLUSTER[:SUBSET] weight=1..100, or back=1",
  answer({ proxy }, query) {
    const [route, to] = [query.get('route'), query.get('to')]
    const percent = Number(query.get('weight') ?? 100)
    if (route === null) return jsonAnswer({ error: 'route is missing: its name' }, 400)
    if ((to === null) !== query.has('back')) return jsonAnswer({ error: 'one of to and back must be given' }, 400)
    if (!(Number.isInteger(percent) && percent >= 1 && percent <= 100)) {
      return jsonAnswer({ error: 'weight must be a whole number from 1 to 100' }, 400)
    }
    const { generation, error } = proxy.switchRoute(route, to === null ? null : { ...destinationOf(to), percent })
    if (error !== null) return jsonAnswer({ error }, 400)
    const switches = proxy.switches().filter((known) => known.route === route)
    const [last] = switches.slice(-1)
    const now = last === undefined ? 'as configured' : `${last.percent} % to ${wordsOf(last)}`
    const said = `route ${route}: ${now}${last === undefined ? '' : ', until the next reload'} (generation ${generation})`
    return jsonAnswer({ route, generation, switches, said })
  },
}

function destinationOf(text: string): { cluster: string; subset: string | null } {
  const colon = text.indexOf(':')
  return colon === -1
    ? { cluster: text, subset: null }
    : { cluster: text.slice(0, colon), subset: text.slice(colon + 1) }
}

function wordsOf({ cluster, subset }: { cluster: string; subset?: string }): string {
  return subset === undefined ? cluster : `${cluster}:${subset}`
}
