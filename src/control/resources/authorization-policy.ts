/** `AuthorizationPolicy` (Istio): who may call a workload, and with what. */
import * as z from 'zod'
import { targetRef } from './gateway-references.js'
import { type ContentIssue, labels, resourceKind } from './kind.js'

const texts = z.array(z.string().min(1)).min(1).optional()
const cidr = z.string().regex(/^[\da-fA-F.:]+(\/\d{1,3})?$/, { error: 'must be an IP address or a CIDR range' })
const ranges = z.array(cidr).min(1).optional()
const ports = z
  .array(z.string().regex(/^\d{1,5}$/, { error: 'must be a port, written as text' }))
  .min(1)
  .optional()

const source = z.strictObject({
  principals: texts,
  notPrincipals: texts,
  namespaces: texts,
  notNamespaces: texts,
  serviceAccounts: texts,
  notServiceAccounts: texts,
  ipBlocks: ranges,
  notIpBlocks: ranges,
  remoteIpBlocks: ranges,
  notRemoteIpBlocks: ranges,
  trustDomains: texts,
  notTrustDomains: texts,
  requestPrincipals: texts,
  notRequestPrincipals: texts,
})

const operation = z.strictObject({
  hosts: texts,
  notHosts: texts,
  ports,
  notPorts: ports,
  methods: texts,
  notMethods: texts,
  paths: texts,
  notPaths: texts,
})

const conditionKey = z
  .string()
  .regex(
    /^(request\.headers\[[^\]]+\]|request\.auth\.(principal|audiences|presenter|claims(\[[^\][]+\])+)|source\.(ip|namespace|principal)|remote\.ip|destination\.(ip|port)|connection\.sni)$/,
    {
      error:
        'must be one of request.headers[NAME], request.auth.principal, request.auth.audiences, request.auth.presenter, request.auth.claims[NAME], source.ip, source.namespace, source.principal, remote.ip, destination.ip, destination.port, connection.sni',
    },
  )

const rule = z.strictObject({
  from: z.array(z.strictObject({ source })).min(1).optional(),
  to: z.array(z.strictObject({ operation })).min(1).optional(),
  when: z
    .array(z.strictObject({ key: conditionKey, values: texts, notValues: texts }))
    .min(1)
    .optional(),
})

/** Where it is `true`, what the policy would decide is recorded and not done. */
export const dryRunAnnotation = 'istio.io/dry-run'

export const authorizationPolicy = resourceKind({
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  kind: 'AuthorizationPolicy',
  spec: z
    .strictObject({
      selector: z.strictObject({ matchLabels: labels.default({}) }).optional(),
      targetRef: targetRef.optional(),
      targetRefs: z.array(targetRef).min(1).max(16).optional(),
      action: z.enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']).prefault('ALLOW'),
      provider: z.strictObject({ name: z.string().min(1) }).optional(),
      rules: z.array(rule).default([]),
    })
    .superRefine(({ selector, targetRef: single, targetRefs, action, provider }, context) => {
      const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message })
      if (selector !== undefined && single !== undefined) refuse('targetRef', 'may not stand beside selector')
      if (selector !== undefined && targetRefs !== undefined) refuse('targetRefs', 'may not stand beside selector')
      if (single !== undefined && targetRefs !== undefined) refuse('targetRef', 'may not stand beside targetRefs')
      if (action === 'CUSTOM' && provider === undefined) refuse('provider', 'is needed: it decides for action CUSTOM')
      if (action !== 'CUSTOM' && provider !== undefined)
        refuse('provider', `decides for action CUSTOM, not for ${action}`)
    })
    .transform(({ targetRef: single, targetRefs = single && [single], ...spec }) => ({ ...spec, targetRefs })),
  checkAnnotations: (annotations, { action }) => dryRunIssues(annotations[dryRunAnnotation], action),
})

function dryRunIssues(value: string | undefined, action: string): ContentIssue[] {
  const path = [dryRunAnnotation]
  if (value === undefined || value === 'false') return []
  if (value !== 'true') return [{ path, message: 'must be "true" or "false"', hint: 'absent, the policy is in force' }]
  if (action === 'ALLOW' || action === 'DENY') return []
  const hint = action === 'AUDIT' ? 'remove it: AUDIT decides nothing as it is' : 'remove it, or the policy'
  return [{ path, message: `does not work with action ${action}`, hint }]
}

export type AuthorizationPolicySpec = z.output<typeof authorizationPolicy.spec>
export type AuthorizationRule = AuthorizationPolicySpec['rules'][number]
