/**
 * The virtual hosts of a port: rules of a VirtualService may be for one port of a host. Where the port of a service has no
 * number of its own, each number that rules name gets a virtual host beside the one for all others.
 */

import { clusterName } from '../mesh/mesh.js'
import { type ServiceDefinition, type ServicePort, takesConnections } from '../mesh/services.js'

export interface PortHost {
  name: string
  hosts: string[]
  /** Null: whatever the client names. */
  port: number | null
}

/** The port of a host that is named without one: Envoy sees plain HTTP. */
const unwritten = 80

export function hostsOfPort(
  service: ServiceDefinition,
  port: ServicePort,
  names: readonly string[],
  asked: readonly number[],
): PortHost[] {
  const name = clusterName(service, port)
  const { number } = port
  if (service.ports.find((one) => !takesConnections(one)) !== port)
    return [{ name, hosts: number === null ? [] : names.map((one) => `${one}:${number}`), port: number }]
  if (number !== null) return [{ name, hosts: names.flatMap((one) => [one, `${one}:*`]), port: number }]
  const others = new Set(service.ports.map((one) => one.number))
  const free = asked.filter((one) => !others.has(one))
  return splitByPort(name, names, free)
}

export function hostsOfForeign(host: string, asked: readonly number[]): PortHost[] {
  const name = `host/${host}`
  if (host === '*') return [{ name, hosts: [host], port: null }]
  if (!host.startsWith('*.')) return splitByPort(name, [host], asked)
  const numbered = asked.filter((port) => port !== unwritten)
  const split = numbered.map((port) => ({ name: `${name}:${port}`, hosts: [`${host}:${port}`], port }))
  return [...split, { name, hosts: [host], port: unwritten }]
}

function splitByPort(name: string, names: readonly string[], ports: readonly number[]): PortHost[] {
  const split = ports.map((port) => ({
    name: `${name}:${port}`,
    hosts: names.flatMap((one) => (port === unwritten ? [one, `${one}:${port}`] : [`${one}:${port}`])),
    port,
  }))
  const rest = names.flatMap((one) => (ports.includes(unwritten) ? [`${one}:*`] : [one, `${one}:*`]))
  return [...split, { name, hosts: rest, port: null }]
}

/** The service's own virtual host, or the host, of which one is a part. */
export function withoutPort(name: string): string {
  return name.replace(/:(\d+|\*)$/, '')
}
