/** Kinds of which only the envelope is checked, so that tests of the control plane need no good specs. */
import * as z from 'zod'
import { findingsOf } from '../../src/config/checks/findings.js'
import { formatPath } from '../../src/config/checks/path.js'
import type { ResourceIssue, ResourceKinds } from '../../src/control/state/resource-kinds.js'

const name = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
  error: 'must be lower-case letters, digits, - and ., starting and ending with a letter or digit',
})
const words = z.record(z.string().max(317), z.string().max(65_536))

const envelope = z.strictObject({
  apiVersion: z.string().regex(/^[a-z0-9.-]+\/v[a-z0-9]+$/, { error: 'must be written as group/version' }),
  kind: z.string().regex(/^[A-Z][A-Za-z]{0,62}$/, { error: 'must be a word that begins with a capital' }),
  metadata: z.strictObject({
    name,
    namespace: name.max(63).optional(),
    labels: words.optional(),
    annotations: words.optional(),
    resourceVersion: z.string().regex(/^\d+$/).optional(),
    creationTimestamp: z.string().optional(),
    generation: z.number().optional(),
    uid: z.string().optional(),
  }),
  spec: z.record(z.string(), z.unknown()).optional(),
  status: z.unknown().optional(),
})

/** Kinds of which nothing but the envelope is known. */
export function envelopeKinds(known: ResourceKinds['known']): ResourceKinds {
  return { known, validate: (value) => validateEnvelope(value, known), review: () => [] }
}

function validateEnvelope(value: unknown, known: ResourceKinds['known']) {
  const parsed = envelope.safeParse(value)
  if (!parsed.success) {
    const issues = findingsOf(envelope, value, parsed.error.issues)
    return {
      ok: false,
      issues: issues.map(({ path, ...rest }): ResourceIssue => ({ path: formatPath(path), ...rest })),
    }
  }
  const { kind, apiVersion } = parsed.data
  const group = apiVersion.split('/')[0]
  if (known.some((one) => one.kind === kind && one.group === group)) return { ok: true, issues: [] }
  const message = `there is no kind ${kind} in ${group}`
  const hint = `known: ${known.map((one) => `${one.kind} in ${one.group}`).join(', ')}`
  return { ok: false, issues: [{ path: 'kind', code: 'WEFT_CONFIG_VALUE', message, hint }] }
}
