/** Where a Sidecar has requests reached at a port of their own: the routes of the services that have this port. */
import { hostNames, type Mesh } from '../mesh/mesh.js'
import type { EgressPort, Reach, Reached } from '../mesh/reach.js'
import { takesConnections } from '../mesh/services.js'
import { outboundTable } from '../nouns.js'
import { withoutPort } from '../routes/host-ports.js'
import { type CompiledHost, foreignHosts, serviceRoutes } from '../routes/service-routes.js'
import type { Source } from '../routes/source.js'

export interface EgressTable {
  /** Of the table, and of the listener that serves it. */
  name: string
  hosts: CompiledHost[]
}

/** The table of what is reached wherever the workload listens, then those of ports. */
export function egressTables(mesh: Mesh, reach: Reach, source: Source): EgressTable[] {
  const whole = [
    ...reach.services.flatMap((service) =>
      service.ports
        .filter((port) => !takesConnections(port))
        .flatMap((port) => serviceRoutes(mesh, service, port, source)),
    ),
    ...foreign(mesh, reach, source),
  ]
  const ofPorts = reach.ports.flatMap((port) => (port.carries === 'requests' ? [ofPort(mesh, port, source)] : []))
  return [{ name: outboundTable, hosts: whole }, ...ofPorts]
}

/** Each of its services is called by its plain name. */
function ofPort(mesh: Mesh, port: EgressPort, source: Source): EgressTable {
  const { number, services } = port
  const own = services.flatMap((service) => {
    const found = service.ports.find((one) => one.number === number) ?? service.ports.find((one) => one.number === null)
    if (found === undefined || takesConnections(found)) return []
    const names = hostNames(service, source.namespace, mesh.options)
    const hosts = names.flatMap((name) => [name, `${name}:*`])
    const compiled = serviceRoutes(mesh, service, found, source)
    const asked = compiled.find(({ host }) => host.name.endsWith(`:${number}`)) ?? compiled.at(-1)
    return asked === undefined ? [] : [{ host: { ...asked.host, hosts }, findings: asked.findings }]
  })
  return { name: egressPlace(port).name, hosts: [...own, ...foreign(mesh, port, source)] }
}

/** The listener of a port, and the name that it shares with its table. */
export function egressPlace({ bind = '127.0.0.1', number }: EgressPort): { name: string; address: string } {
  const address = `${bind.includes(':') ? `[${bind}]` : bind}:${number}`
  return { name: `${outboundTable}/${address}`, address }
}

function foreign(mesh: Mesh, { hosts }: Reached, source: Source): CompiledHost[] {
  return foreignHosts(mesh, source).filter(({ host }) => hosts(withoutPort(host.hosts[0] ?? ''), source.namespace))
}
