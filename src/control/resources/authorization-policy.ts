/** `AuthorizationPolicy` (Istio): who may call a workload, and with what. */
import * as z from 'zod'
import { notYetKeys, words } from '../../config/forms/not-yet.js'
import { targetRef } from './gateway-references.js'
import { labels, resourceKind } from './kind.js'

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

export const authorizationPolicy = resourceKind({
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  kind: 'AuthorizationPolicy',
  spec: z
    .strictObject({
      selector: z.strictObject({ matchLabels: labels.default({}) }).optional(),
      targetRefs: z.array(targetRef).min(1).max(16).optional(),
      action: words(['ALLOW', 'DENY'], ['AUDIT', 'CUSTOM']).prefault('ALLOW'),
      rules: z.array(rule).default([]),
      ...notYetKeys('targetRef', 'provider'),
    })
    .refine(({ selector, targetRefs }) => selector === undefined || targetRefs === undefined, {
      error: 'may not stand beside selector',
      path: ['targetRefs'],
    }),
})

export type AuthorizationPolicySpec = z.output<typeof authorizationPolicy.spec>
export type AuthorizationRule = AuthorizationPolicySpec['rules'][number]
