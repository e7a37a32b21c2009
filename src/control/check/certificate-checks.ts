/** How long every link of every chain lasts (the wait before an alarm follows what a renewal takes). */
import type { ShownLink } from '../ca/status.js'
import { type Check, type Facts, type Finding, fail, some, warn } from './check.js'

/** A root must first be trusted by everybody, and what it signed must end. */
const rootDays = 60
const intermediateDays = 30
const serverDays = 14
/** Of services outside: whoever runs them renews them. */
const serviceRootDays = 30

export const certificateChecks: readonly Check[] = [
  {
    id: 'certificates-are-there',
    group: 'certificates',
    about: 'whoever must have a certificate can get one',
    look({ certificates, wantCertificates }) {
      if (certificates !== 'none' || wantCertificates.length === 0) return null
      const message = `${some(wantCertificates)} asks for mutual TLS, and there are no certificates`
      return fail(message, 'weft ca init --data DATA, or certificates: FOLDER in the configuration')
    },
  },
  {
    id: 'a-key-can-sign',
    group: 'certificates',
    about: 'the key of the issuing authority is here',
    look({ authority }) {
      const issuing = authority?.authorities.find(({ state }) => state === 'issuing')
      if (authority === null || issuing?.keyHere) return null
      const who = issuing === undefined ? 'no authority issues' : `the key of ${issuing.id} is not on this replica`
      return fail(
        `${who}: certificates are not renewed here`,
        'copy DATA/ca from a replica that has it, or weft ca rotate',
      )
    },
  },
  {
    id: 'roots-last',
    group: 'certificates',
    about: `every root lasts ${rootDays} days and more`,
    look: (facts) => ending(rootsOf(facts), rootDays, 'weft ca rotate, or put the next root beside it in roots.pem'),
  },
  {
    id: 'roots-of-services-last',
    group: 'certificates',
    about: `every authority of a ConfigMap lasts ${serviceRootDays} days and more`,
    look: ({ serviceRootLinks }) =>
      ending(serviceRootLinks, serviceRootDays, 'put the next one beside it under ca.crt; later take this one out'),
  },
  {
    id: 'intermediates-last',
    group: 'certificates',
    about: `every intermediate lasts ${intermediateDays} days and more`,
    look: ({ authority }) =>
      ending(
        linksOf(authority).filter(({ what }) => what !== 'root'),
        intermediateDays,
        'one of your own is renewed by you: put it in place and send SIGHUP; one made here renews itself, look at the log',
      ),
  },
  {
    id: 'server-certificate-lasts',
    group: 'certificates',
    about: `the control plane's own certificate lasts ${serverDays} days and more`,
    look: ({ serverLinks }) => ending(serverLinks, serverDays, 'renew the files that tls names and send SIGHUP'),
  },
  {
    id: 'rotation-goes-on',
    group: 'certificates',
    about: 'no rotation of the root waits for somebody',
    look({ authority, nowMs }) {
      const { step, why } = authority?.rotation ?? { step: 'nothing', why: null }
      const adding = authority?.authorities.find(({ state }) => state === 'adding')
      if (step !== 'wait' || adding === undefined || nowMs - Date.parse(adding.since) < 3_600_000) return null
      return warn(
        `the rotation to ${adding.id} has waited since ${adding.since}: ${why}`,
        'weft status says who is behind; weft ca rotate --force goes on without them',
      )
    },
  },
  {
    id: 'workloads-are-renewed',
    group: 'certificates',
    about: 'no certificate of a workload ends within an hour',
    look({ authority, nowMs }) {
      const first = authority?.issued.firstEnd ?? null
      // What nobody renews any more, because its workload is gone, ends, too: one that has ended is nobody's.
      if (first === null || Date.parse(first) > nowMs + 3_600_000 || Date.parse(first) < nowMs) return null
      return warn(
        `one ends at ${first}, though renewal begins at half its life`,
        'weft ca status --issued names it; a workload that is gone needs none',
      )
    },
  },
]

function rootsOf({ authority, rootLinks }: Facts): readonly ShownLink[] {
  return [...rootLinks, ...linksOf(authority).filter(({ what }) => what === 'root')]
}

/** One that retires need not last. */
function linksOf(authority: Facts['authority']): readonly ShownLink[] {
  return authority?.authorities.filter(({ state }) => state !== 'retiring').flatMap(({ links }) => links) ?? []
}

function ending(links: readonly ShownLink[], days: number, hint: string): Finding | null {
  const [worst] = [...links].sort((one, other) => one.daysLeft - other.daysLeft)
  if (worst === undefined || worst.daysLeft >= days) return null
  const { what, subject, daysLeft, notAfter } = worst
  if (daysLeft < 0) return fail(`${what} ${subject} ended at ${notAfter}`, hint)
  return warn(`${what} ${subject} ends in ${daysLeft} days, at ${notAfter}`, hint)
}
