/**
 * The kinds that the control plane takes: one explicit list, the check of a resource against it and the typed parse.
 *
 * Invariants: all issues of a resource at once; what passes the check is carried out by `compile` or refused there by
 * name for the data plane that lacks it.
 */
import * as z from 'zod'
import { type Finding, findingsOf } from '../../config/checks/findings.js'
import { formatPath, type Path } from '../../config/checks/path.js'
import { nearest } from '../../config/checks/suggest.js'
import { notYetKeys } from '../../config/forms/not-yet.js'
import type { Code } from '../../errors.js'
import { authorizationPolicy } from './authorization-policy.js'
import { backendTlsPolicy } from './backend-tls-policy.js'
import { configMap } from './config-map.js'
import { destinationRule } from './destination-rule.js'
import { gateway } from './gateway.js'
import { grpcRoute } from './grpc-route.js'
import { httpRoute } from './http-route.js'
import { istioGateway } from './istio-gateway.js'
import { metadata, type ResourceKind } from './kind.js'
import { peerAuthentication } from './peer-authentication.js'
import { referenceGrant } from './reference-grant.js'
import { requestAuthentication } from './request-authentication.js'
import { serviceEntry } from './service-entry.js'
import { sidecar } from './sidecar.js'
import { tcpRoute } from './tcp-route.js'
import { telemetry } from './telemetry.js'
import { tlsRoute } from './tls-route.js'
import { virtualService } from './virtual-service.js'
import { workloadEntry } from './workload-entry.js'

export const resourceKinds = [
  httpRoute,
  grpcRoute,
  tlsRoute,
  tcpRoute,
  gateway,
  referenceGrant,
  backendTlsPolicy,
  virtualService,
  destinationRule,
  serviceEntry,
  workloadEntry,
  sidecar,
  istioGateway,
  peerAuthentication,
  authorizationPolicy,
  configMap,
  requestAuthentication,
  telemetry,
] as const satisfies readonly ResourceKind[]

/** Kinds that people know from elsewhere and that do not work yet. */
export const notYetKinds = [
  'UDPRoute',
  'EnvoyFilter',
  'ProxyConfig',
  'WasmPlugin',
  'WorkloadGroup',
  'ListenerSet',
] as const

export interface ResourceIssue {
  path: string
  code: Code
  message: string
  hint: string | null
}

export interface ResourceValidation {
  ok: boolean
  issues: ResourceIssue[]
}

type Kinds = (typeof resourceKinds)[number]

/** A resource with its spec parsed: defaults filled in, durations in milliseconds. */
export type ParsedResource = ParsedOf<Kinds>
type ParsedOf<Declaration> =
  Declaration extends ResourceKind<string, infer Spec> ? { declaration: Declaration; spec: z.output<Spec> } : never

export function validateResource(value: unknown, nowMs = Date.now()): ResourceValidation {
  const issues = findings(value, nowMs).map(({ path, ...rest }) => ({ path: formatPath(path), ...rest }))
  return { ok: issues.length === 0, issues }
}

/** The kind's declaration and the parsed spec, or null when the resource does not pass `validateResource`. */
export function parseResource(resource: { apiVersion: string; kind: string; spec: unknown }): ParsedResource | null {
  const declaration = kindOf(resource.kind, resource.apiVersion)
  const parsed = declaration?.spec.safeParse(resource.spec ?? {})
  return declaration !== undefined && parsed?.success === true
    ? ({ declaration, spec: parsed.data } as ParsedResource)
    : null
}

function findings(value: unknown, nowMs: number): Finding[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [
      {
        path: [],
        code: 'WEFT_CONFIG_TYPE',
        message: 'a resource is an object',
        hint: 'it has apiVersion, kind, metadata and spec',
      },
    ]
  const { kind, apiVersion, metadata: written = {} } = value as Record<string, unknown>
  const declaration: ResourceKind | undefined =
    typeof kind === 'string' && typeof apiVersion === 'string' ? kindOf(kind, apiVersion) : undefined
  const content = declaration?.content ?? 'spec'
  const envelope = z.strictObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata,
    [content]: z.unknown().optional(),
    ...notYetKeys(...(declaration?.notYet ?? [])),
    // What a cluster wrote about it, when it was exported from one.
    status: z.unknown().optional(),
  })
  const shape = envelope.safeParse({ ...value, metadata: written })
  const found = shape.success ? [] : findingsOf(envelope, value, shape.error.issues)
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') return found
  if (declaration === undefined) return [...found, unknownKind(kind, apiVersion)]
  const { [content]: said = {} } = value as Record<string, unknown>
  const annotations = shape.success ? shape.data.metadata.annotations : {}
  return [
    ...found,
    ...contentFindings(declaration, said, nowMs).map((one) => ({ ...one, path: [content, ...one.path] })),
    ...annotationFindings(declaration, annotations, said),
  ]
}

function contentFindings({ spec, check }: ResourceKind, said: unknown, nowMs: number): Finding[] {
  const parsed = spec.safeParse(said)
  if (!parsed.success) return findingsOf(spec, said, parsed.error.issues)
  return (check?.(parsed.data, nowMs) ?? []).map((issue) => ({ ...issue, code: 'WEFT_CONFIG_VALUE' }))
}

function annotationFindings(
  { spec, checkAnnotations }: ResourceKind,
  annotations: Readonly<Record<string, string>>,
  said: unknown,
): Finding[] {
  if (checkAnnotations === undefined) return []
  const parsed = spec.safeParse(said)
  if (!parsed.success) return []
  return checkAnnotations(annotations, parsed.data).map((issue) => {
    return { ...issue, code: 'WEFT_CONFIG_VALUE', path: ['metadata', 'annotations', ...issue.path] }
  })
}

function kindOf(kind: string, apiVersion: string): Kinds | undefined {
  return resourceKinds.find(
    (known) => known.kind === kind && (known.apiVersions as readonly string[]).includes(apiVersion),
  )
}

function unknownKind(kind: string, apiVersion: string): Finding {
  const path: Path = ['kind']
  const named = resourceKinds.filter((known) => known.kind === kind)
  if (named.length > 0) {
    const versions = named.flatMap(({ apiVersions }) => [...apiVersions]).join(', ')
    const message = `${apiVersion} holds no ${kind}`
    return { path: ['apiVersion'], code: 'WEFT_CONFIG_VALUE', message, hint: `${kind} stands in ${versions}` }
  }
  if ((notYetKinds as readonly string[]).includes(kind))
    return {
      path,
      code: 'WEFT_CONFIG_NOT_YET',
      message: `the kind ${kind} does not work yet in this version`,
      hint: 'remove the resource',
    }
  const suggestion = nearest(
    kind,
    resourceKinds.map((known) => known.kind),
  )
  const hint =
    suggestion === null
      ? `known: ${resourceKinds.map((known) => known.kind).join(', ')}`
      : `did you mean ${suggestion}?`
  return { path, code: 'WEFT_CONFIG_VALUE', message: `there is no kind ${kind}`, hint }
}
