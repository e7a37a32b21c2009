/** `BackendTLSPolicy` (Gateway API v1): a service outside of the mesh speaks TLS, and this is who it must be. */
import * as z from 'zod'
import { notYetKeys } from '../../config/forms/not-yet.js'
import { dnsName, resourceKind } from './kind.js'

/** A certificate is for one name: patterns are refused, as the Gateway API does. */
const hostname = dnsName()

const targetRef = z.strictObject({
  group: z.enum(['', 'core']),
  kind: z.literal('Service'),
  name: dnsName(),
  ...notYetKeys('sectionName'),
})

/** A reference has no namespace: roots are those of the policy's own, and no ReferenceGrant opens another. */
const authorityRef = z.strictObject({
  group: z.enum(['', 'core']),
  kind: z.literal('ConfigMap', { error: 'must be ConfigMap, whose key ca.crt holds the certificates' }),
  name: dnsName(),
})

const subjectAltName = z.strictObject({
  type: z.literal('Hostname', { error: 'must be Hostname; identities of the mesh are checked by mutual TLS' }),
  hostname,
})

export const backendTlsPolicy = resourceKind({
  apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1alpha3'],
  kind: 'BackendTLSPolicy',
  spec: z.strictObject({
    targetRefs: z.array(targetRef).min(1).max(16),
    validation: z
      .strictObject({
        hostname,
        wellKnownCACertificates: z.literal('System').optional(),
        caCertificateRefs: z.array(authorityRef).min(1).max(8).optional(),
        subjectAltNames: z.array(subjectAltName).max(5).default([]),
      })
      .refine(
        ({ wellKnownCACertificates: system, caCertificateRefs: own }) => (system === undefined) !== (own === undefined),
        {
          error: 'needs either wellKnownCACertificates or caCertificateRefs: who may vouch for the service',
        },
      ),
    ...notYetKeys('options'),
  }),
})

export type BackendTlsPolicySpec = z.output<typeof backendTlsPolicy.spec>
