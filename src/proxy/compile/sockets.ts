/**
 * `listeners[].sockets[]`: paths that the listener's door answers itself, and for a socket with a cluster a route of its
 * own behind those of the configuration, which takes the path's upgrades as routes do: a more specific one comes first.
 */
import type { ResolvedConfig } from '../../config/config.js'
import { type ResolvedRoute, route } from '../../config/routes/route.js'

/** The paths that handlers answer. */
export function ownPaths({ sockets }: ResolvedConfig['listeners'][number]): string[] {
  return sockets.filter(({ cluster }) => cluster === undefined).map(({ path }) => path)
}

export function socketRoutes({ listeners }: ResolvedConfig): ResolvedRoute[] {
  return listeners.flatMap(({ name, sockets }) =>
    sockets.flatMap(({ path, cluster }) => {
      if (cluster === undefined) return []
      const match = { path: pathMatch(path), headers: [{ name: 'upgrade', exact: 'websocket' }] }
      // The door watches idle sockets itself, with pings.
      const written = { name: 'socket', matches: [match], forward: [{ cluster }], idleTimeout: 0 }
      return [{ ...route.parse(written), name: `${name}${path}`, listeners: [name] }]
    }),
  )
}

function pathMatch(path: string): { exact: string } | { prefix: string } {
  return path.endsWith('/*') ? { prefix: path.slice(0, -2) || '/' } : { exact: path }
}
