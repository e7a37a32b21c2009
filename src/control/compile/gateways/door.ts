/** One entry of a Gateway: where it listens, what it speaks there, and what hangs on it. */

import type { Origin, Route } from '../nouns.js'
import type { ConnectionCandidate } from './connection-routes.js'

export interface Door {
  /** `IP:PORT`; doors of one address share a listener. */
  address: string
  /** Doors of one address speak the same: which of them a connection is for shows in nothing else than its TLS. */
  speaks: 'http' | 'tls' | 'tcp'
  /** Only connections for this server name; `*`: for any. */
  hostname: string
  origin: Origin
  /** Of a door that ends TLS to serve requests: what it shows, and for which names; no names: for all. */
  certificate: { secret: string; serverNames: string[] } | null
  redirectToTls: boolean
  /** By host. */
  routes: { hosts: string[]; routes: Route[] }[]
  connections: ConnectionCandidate[]
}
