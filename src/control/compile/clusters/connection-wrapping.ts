/** What stands around the bytes of a connection: the header of the PROXY protocol, or a tunnel through a proxy. */
import { isIPv6 } from 'node:net'
import type { TrafficPolicy } from '../../resources/traffic-policy.js'
import type { Cluster, Tunnel } from '../nouns.js'

const versions = { V1: 'v1', V2: 'v2' } as const

export function wrapping({ tunnel, proxyProtocol }: Pick<TrafficPolicy, 'tunnel' | 'proxyProtocol'>): {
  tunnel: Tunnel | null
  proxyProtocol: Cluster['proxyProtocol']
} {
  return {
    tunnel: tunnel === undefined ? null : tunnelOf(tunnel),
    proxyProtocol: proxyProtocol === undefined ? null : versions[proxyProtocol.version],
  }
}

function tunnelOf({ protocol: method, targetHost, targetPort }: NonNullable<TrafficPolicy['tunnel']>): Tunnel {
  return { method, target: `${isIPv6(targetHost) ? `[${targetHost}]` : targetHost}:${targetPort}` }
}
