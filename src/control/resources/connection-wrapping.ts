/** `proxyProtocol` and `tunnel` of a DestinationRule: what stands around the bytes of a connection to a service. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { words } from '../../config/forms/not-yet.js'
import { port } from './kind.js'

export const proxyProtocol = z.strictObject({ version: words(['V1', 'V2'], []).default('V1') })

const hostName = /^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})(\.[a-zA-Z0-9_-]{1,63})*$/

export const tunnel = z.strictObject({
  protocol: words(['CONNECT', 'POST'], []).default('CONNECT'),
  targetHost: z
    .string()
    .max(253)
    .refine((host) => isIP(host) !== 0 || hostName.test(host), { error: 'must be a host name or an IP address' }),
  targetPort: port,
})

export type ProxyProtocol = z.output<typeof proxyProtocol>
export type Tunnel = z.output<typeof tunnel>
