/**
 * The shape of every kind: one file that declares which API group it stands in and what its `spec` may hold.
 *
 * Invariant: a field that a person may know from elsewhere and that has no effect here is refused by name (`notYet`), so
 * that no part of a resource is dropped in silence.
 */
import * as z from 'zod'

export interface ResourceKind<Kind extends string = string, Spec extends z.ZodType = z.ZodType> {
  /** `group/version` as people write it; older versions of the same fields are accepted beside it. */
  apiVersions: readonly [string, ...string[]]
  kind: Kind
  spec: Spec
  /** The key under which the resource says what it says; absent: `spec`. */
  content?: 'data'
  /** Keys beside it that are known elsewhere and do not work here. */
  notYet?: readonly string[]
  /** What only holds for a time, looked at when the resource is written and not when it is read again. */
  check?(spec: z.output<Spec>, nowMs: number): readonly ContentIssue[]
  /** What annotations ask for has to fit the content. */
  checkAnnotations?(annotations: Readonly<Record<string, string>>, spec: z.output<Spec>): readonly ContentIssue[]
}

/** `path` begins inside of what was checked. */
export interface ContentIssue {
  path: readonly (string | number)[]
  message: string
  hint: string
}

export function resourceKind<const Kind extends string, Spec extends z.ZodType>(kind: ResourceKind<Kind, Spec>) {
  return kind
}

/** A name as DNS labels, which Kubernetes asks for too: it becomes part of host names. */
export function dnsName() {
  return z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
    error: 'must be lower-case letters, digits, - and ., starting and ending with a letter or digit',
  })
}

/** A host name, `*.suffix` or `*`. */
export function hostPattern() {
  return z.string().regex(/^(\*|(\*\.)?[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?)$/, {
    error: 'must be a host name, *.suffix or *',
  })
}

/** Whether each name of the one pattern is one of the other; `*.suffix` stands for any number of labels. */
export function includesHost(wide: string, narrow: string): boolean {
  return wide === '*' || wide === narrow || (wide.startsWith('*.') && narrow.endsWith(wide.slice(1)))
}

/** Labels that stand for a place, as Kubernetes and Istio name them. */
export const regionLabel = 'topology.kubernetes.io/region'
export const zoneLabel = 'topology.kubernetes.io/zone'
export const subzoneLabel = 'topology.istio.io/subzone'

export const port = z.int().min(1).max(65_535)
export const labels = z.record(z.string(), z.string())
export const namespace = dnsName().max(63)

/** Fields of every resource beside its spec. */
export const metadata = z.strictObject({
  name: dnsName(),
  namespace: namespace.default('default'),
  labels: labels.default({}),
  annotations: labels.default({}),
  // Written by other tools and by the store; they have no say in what a resource does.
  creationTimestamp: z.string().nullish(),
  resourceVersion: z.string().nullish(),
  generation: z.number().nullish(),
  uid: z.string().nullish(),
})
