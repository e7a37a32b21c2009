/** `RequestAuthentication` (Istio): whose tokens a workload takes, and where it finds them. */
import * as z from 'zod'
import { targetRef } from './gateway-references.js'
import { keySetText } from './key-set.js'
import { labels, resourceKind } from './kind.js'
import { span } from './span.js'

const texts = z.array(z.string().min(1)).min(1).optional()
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/, { error: 'must be the name of a header' })

const rule = z
  .strictObject({
    issuer: z.string().min(1),
    audiences: texts,
    jwks: keySetText().optional(),
    jwksUri: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
    fromHeaders: z
      .array(z.strictObject({ name: headerName, prefix: z.string().default('') }))
      .min(1)
      .optional(),
    fromParams: texts,
    fromCookies: texts,
    outputPayloadToHeader: headerName.optional(),
    outputClaimToHeaders: z.array(z.strictObject({ header: headerName, claim: z.string().min(1) })).default([]),
    forwardOriginalToken: z.boolean().default(false),
    spaceDelimitedClaims: z.array(z.string().min(1)).default([]),
    timeout: span({ minMs: 1 }).default(5_000),
  })
  .refine(({ jwks, jwksUri }) => jwks === undefined || jwksUri === undefined, {
    error: 'may not stand beside jwks',
    path: ['jwksUri'],
  })
  .refine(({ issuer, jwks, jwksUri }) => jwks !== undefined || jwksUri !== undefined || /^https?:\/\//.test(issuer), {
    error: 'is needed: no keys can be found out from an issuer that is no URL',
    path: ['jwksUri'],
  })

export const requestAuthentication = resourceKind({
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  kind: 'RequestAuthentication',
  spec: z
    .strictObject({
      selector: z.strictObject({ matchLabels: labels.default({}) }).optional(),
      targetRefs: z.array(targetRef).min(1).max(16).optional(),
      jwtRules: z.array(rule).default([]),
    })
    .refine(({ selector, targetRefs }) => selector === undefined || targetRefs === undefined, {
      error: 'may not stand beside selector',
      path: ['targetRefs'],
    }),
})

export type RequestAuthenticationSpec = z.output<typeof requestAuthentication.spec>
export type JwtRule = RequestAuthenticationSpec['jwtRules'][number]
