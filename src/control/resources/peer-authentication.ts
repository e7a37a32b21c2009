/** `PeerAuthentication` (Istio): whether a workload takes plain connections beside mutual TLS. */
import * as z from 'zod'
import { notYetKeys } from '../../config/forms/not-yet.js'
import { labels, resourceKind } from './kind.js'

export const peerAuthentication = resourceKind({
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  kind: 'PeerAuthentication',
  spec: z.strictObject({
    selector: z.strictObject({ matchLabels: labels.default({}) }).optional(),
    mtls: z.strictObject({ mode: z.enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']).default('UNSET') }).prefault({}),
    ...notYetKeys('portLevelMtls'),
  }),
})

export type PeerAuthenticationSpec = z.output<typeof peerAuthentication.spec>
