/** `/config_dump`: the configuration in force with every default filled in; durations are milliseconds. */
import { type AdminEndpoint, jsonAnswer } from '../endpoint.js'

export const configDump: AdminEndpoint = {
  method: 'GET',
  path: '/config_dump',
  about: 'the configuration in force, defaults included',
  answer({ proxy }) {
    const switches = proxy.switches()
    const switched = switches.length === 0 ? {} : { switchedUntilTheNextReload: switches }
    return jsonAnswer({ generation: proxy.status().generation, ...switched, config: JSON.parse(proxy.plan().dump) })
  },
}
