/** What people are shown of the authority: every link of every chain with the days that it has left, and what is under way. */
import * as z from 'zod'
import type { CertificateAuthority } from './certificate-authority.js'
import { describeLink, iso, splitPem } from './chain.js'

export const link = z
  .object({
    what: z.string().meta({ description: 'root, intermediate, or whose it is' }),
    subject: z.string(),
    serial: z.string(),
    notBefore: z.iso.datetime(),
    notAfter: z.iso.datetime(),
    daysLeft: z.number().meta({ description: 'Negative once it has ended' }),
  })
  .meta({ title: 'CertificateLink' })

export type ShownLink = z.output<typeof link>

export const authorityStatus = z
  .object({
    trustDomain: z.string(),
    authorities: z.array(
      z.object({
        id: z.string(),
        state: z.enum(['adding', 'issuing', 'retiring']),
        own: z.boolean().meta({ description: 'Made here, and not given' }),
        keyHere: z.boolean().meta({ description: 'Whether this replica can sign with it' }),
        since: z.iso.datetime(),
        until: z.iso.datetime().nullable().meta({ description: 'When the last certificate of a retiring one ends' }),
        links: z.array(link),
      }),
    ),
    rotation: z
      .object({ step: z.enum(['nothing', 'wait', 'switch', 'drop']), why: z.string().nullable() })
      .meta({ description: 'What comes next, and why not yet' }),
    issued: z.object({
      lasting: z.int(),
      firstEnd: z.iso.datetime().nullable(),
      lastEnd: z.iso.datetime().nullable(),
    }),
    revoked: z.array(
      z.object({
        serial: z.string().nullable().meta({ description: 'null: the identity as a whole' }),
        identity: z.string().nullable(),
        reason: z.string(),
        by: z.string(),
        at: z.iso.datetime(),
      }),
    ),
  })
  .meta({ title: 'AuthorityStatus' })

export type AuthorityStatus = z.output<typeof authorityStatus>

export function describeAuthority(
  authority: CertificateAuthority,
  trustDomain: string,
  nowMs: number,
): AuthorityStatus {
  const { trust, ledger, revocations, rotation } = authority
  const next = rotation.next()
  let [firstEnd, lastEnd] = [Number.POSITIVE_INFINITY, 0]
  for (const { notAfterMs } of ledger) {
    firstEnd = Math.min(firstEnd, notAfterMs)
    lastEnd = Math.max(lastEnd, notAfterMs)
  }
  const [first, last] = lastEnd === 0 ? [null, null] : [iso(firstEnd), iso(lastEnd)]
  return {
    trustDomain,
    authorities: trust.all().map(({ id, state, own, signer, sinceMs, untilMs, root, chain }) => ({
      ...{
        id,
        state,
        own,
        keyHere: signer !== null,
        since: iso(sinceMs),
        until: untilMs === null ? null : iso(untilMs),
      },
      links: [...describeChain('intermediate', chain, nowMs), ...describeChain('root', root, nowMs)],
    })),
    rotation: { step: next.do, why: next.do === 'wait' ? next.why : null },
    issued: { lasting: ledger.size, firstEnd: first, lastEnd: last },
    revoked: revocations.all().map(({ serial, identity, reason, by, atMs }) => {
      return { serial, identity, reason, by, at: iso(atMs) }
    }),
  }
}

const dayMs = 86_400_000

/** Every certificate of a PEM text. */
export function describeChain(what: string, pem: string, nowMs: number): ShownLink[] {
  return splitPem(pem).map((one) => {
    const { subject, serial, notBeforeMs, notAfterMs } = describeLink(one)
    const daysLeft = Math.floor(((notAfterMs - nowMs) / dayMs) * 10) / 10
    return { what, subject, serial, notBefore: iso(notBeforeMs), notAfter: iso(notAfterMs), daysLeft }
  })
}
