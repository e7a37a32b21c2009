/** `PeerAuthentication` (Istio): whether a workload takes plain connections beside mutual TLS. */
import * as z from 'zod'
import { labels, resourceKind } from './kind.js'

const mutualTls = z.strictObject({ mode: z.enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']).default('UNSET') })
const portNumber = z
  .string()
  .refine((text) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535, { error: 'must be a port' })

export const peerAuthentication = resourceKind({
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  kind: 'PeerAuthentication',
  spec: z
    .strictObject({
      selector: z.strictObject({ matchLabels: labels.default({}) }).optional(),
      mtls: mutualTls.prefault({}),
      portLevelMtls: z.record(portNumber, mutualTls).default({}),
    })
    .refine(
      ({ selector, portLevelMtls }) =>
        Object.keys(portLevelMtls).length === 0 || Object.keys(selector?.matchLabels ?? {}).length > 0,
      {
        error: 'needs a selector with labels: the ports are those of the workloads that it selects',
        path: ['portLevelMtls'],
      },
    ),
})

export type PeerAuthenticationSpec = z.output<typeof peerAuthentication.spec>
