/** `BackendTLSPolicy` (Gateway API v1): a service outside of the mesh speaks TLS, and this is who it must be. */
import * as z from 'zod'
import { dnsName, resourceKind } from './kind.js'

/** A certificate is for one name: patterns are refused, as the Gateway API does. */
const hostname = dnsName()

const targetRef = z.strictObject({
  group: z.enum(['', 'core']),
  kind: z.literal('Service'),
  name: dnsName(),
  /** Name of a port. */
  sectionName: dnsName().optional(),
})

/** A reference has no namespace: roots are those of the policy's own, and no ReferenceGrant opens another. */
const authorityRef = z.strictObject({
  group: z.enum(['', 'core']),
  kind: z.literal('ConfigMap', { error: 'must be ConfigMap, whose key ca.crt holds the certificates' }),
  name: dnsName(),
})

/** As the Gateway API asks: of several references to one service each names another port. */
function distinctTargets({ value: refs, issues }: z.core.ParsePayload<z.output<typeof targetRef>[]>): void {
  for (const [index, { name, sectionName }] of refs.entries()) {
    const others = refs.filter((ref, at) => at !== index && ref.name === name)
    const say = (message: string) => issues.push({ code: 'custom', input: refs, path: [index, 'sectionName'], message })
    if (others.length > 0 && sectionName === undefined) say(`is needed where ${name} is named more than once`)
    else if (others.some((ref) => ref.sectionName === sectionName)) say(`names the same port of ${name} once more`)
  }
}

function noOptions({ value: options, issues }: z.core.ParsePayload<Record<string, string>>): void {
  for (const key of Object.keys(options))
    issues.push({ code: 'custom', input: options, path: [key], message: 'is no option here: there are none' })
}

const subjectAltName = z.strictObject({
  type: z.literal('Hostname', { error: 'must be Hostname; identities of the mesh are checked by mutual TLS' }),
  hostname,
})

export const backendTlsPolicy = resourceKind({
  apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1alpha3'],
  kind: 'BackendTLSPolicy',
  spec: z.strictObject({
    targetRefs: z.array(targetRef).min(1).max(16).check(distinctTargets),
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
    options: z.record(z.string(), z.string()).default({}).check(noOptions),
  }),
})

export type BackendTlsPolicySpec = z.output<typeof backendTlsPolicy.spec>
