/** `POST /v1/ca/certificates`: a certificate by a person's wish, for a workload, a server or a gateway. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { duration } from '../../../config/forms/duration.js'
import { demand } from '../../access/roles.js'
import { iso } from '../../ca/chain.js'
import type { Given, Granted } from '../../ca/issuer.js'
import { demandAuthority } from '../demand-authority.js'
import { endpoint, ok } from '../endpoint.js'

const host = z
  .string()
  .max(253)
  .refine((text) => isIP(text) !== 0 || /^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text), {
    error: 'must be a DNS name in lower case or an IP address',
  })

const body = z
  .strictObject({
    account: z.string().max(63).optional().meta({ description: 'Service account of a workload' }),
    namespace: z.string().max(63).default('default'),
    hosts: z.array(host).max(100).default([]).meta({ description: 'DNS names and addresses of a server' }),
    csr: z.string().max(16_384).optional().meta({ description: 'PEM; absent: a key is made' }),
    lasts: duration({ minMs: 1_000 }).nullable().default(null).meta({ description: 'null: as others' }),
  })
  .refine(({ account, hosts }) => (account === undefined) !== (hosts.length === 0), {
    error: 'give either account or hosts',
  })
  .refine(({ csr, account }) => csr === undefined || account !== undefined, { error: 'a csr is for an account' })

export const issueCertificate = endpoint({
  method: 'POST',
  path: '/v1/ca/certificates',
  about: 'Issues a certificate for a workload, for a request of one, or for hosts',
  access: 'administer',
  body,
  result: z.object({
    serial: z.string(),
    notAfter: z.iso.datetime(),
    chain: z.string().meta({ description: 'PEM, leaf first' }),
    key: z.string().nullable().meta({ description: 'PKCS #8; null when a request was given' }),
    roots: z.string(),
  }),
  async answer({ authority }, { principal, body: { account, namespace, hosts, csr, lasts } }) {
    const present = demandAuthority(authority)
    const { issuer } = present
    // A server's name belongs to no namespace.
    demand(principal, 'administer', account === undefined ? '*' : namespace)
    const wish = { by: principal.name, lastsMs: lasts }
    const granted =
      account === undefined
        ? await whenWritten(issuer.issueNamed(hosts, wish))
        : csr === undefined
          ? await whenWritten(issuer.issue({ namespace, account }, wish))
          : await issuer.sign({ namespace, account }, csr, wish)
    const { serial, notAfterMs, chain, key } = granted
    return ok({ serial, notAfter: iso(notAfterMs), chain, key, roots: present.bundle().roots }, 201)
  },
})

async function whenWritten({ granted, written }: Given): Promise<Granted> {
  await written
  return granted
}
