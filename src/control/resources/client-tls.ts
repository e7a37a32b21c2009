/** `tls` of a DestinationRule: how connections to a service are secured, and what is shown and believed in doing so. */
import * as z from 'zod'
import { words } from '../../config/forms/not-yet.js'
import { dnsName } from './kind.js'

const file = z.string().regex(/^\/[^\0]+$/, { error: 'must be the absolute path of a file on the data plane' })

const shape = z.strictObject({
  mode: words(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'], []),
  subjectAltNames: z.array(z.string().min(1)).default([]),
  sni: z.string().default(''),
  insecureSkipVerify: z.boolean().default(false),
  clientCertificate: file.optional(),
  privateKey: file.optional(),
  caCertificates: file.optional(),
  caCrl: file.optional(),
  credentialName: dnsName().optional(),
})

type Written = z.output<typeof shape>
type Key = keyof Written

/** Which keys have no effect beside which mode or key; one that is written all the same is refused. */
const foreign: { when(tls: Written): boolean; keys: Key[]; why: string }[] = [
  {
    when: ({ mode }) => mode === 'DISABLE' || mode === 'ISTIO_MUTUAL',
    keys: ['clientCertificate', 'privateKey', 'caCertificates', 'caCrl', 'credentialName'],
    why: 'is for the modes SIMPLE and MUTUAL',
  },
  {
    when: ({ mode }) => mode === 'SIMPLE',
    keys: ['clientCertificate', 'privateKey'],
    why: 'is for the mode MUTUAL: in mode SIMPLE nobody is shown a certificate',
  },
  {
    when: ({ credentialName }) => credentialName !== undefined,
    keys: ['clientCertificate', 'privateKey', 'caCertificates', 'caCrl'],
    why: 'may not stand beside credentialName, which brings it',
  },
  {
    when: ({ insecureSkipVerify }) => insecureSkipVerify,
    keys: ['caCertificates', 'caCrl', 'subjectAltNames'],
    why: 'may not stand beside insecureSkipVerify, which looks at nothing',
  },
  {
    when: ({ insecureSkipVerify, mode }) => insecureSkipVerify && mode === 'SIMPLE',
    keys: ['credentialName'],
    why: 'may not stand beside insecureSkipVerify in mode SIMPLE, where it only says who is believed',
  },
]

export const clientTls = shape.check(({ value: tls, issues }) => {
  const isWritten = (key: Key) => (key === 'subjectAltNames' ? tls[key].length > 0 : tls[key] !== undefined)
  const refused = new Set<Key>()
  const say = (key: Key, message: string) => {
    if (refused.has(key)) return
    refused.add(key)
    issues.push({ code: 'custom', input: tls, path: [key], message })
  }
  for (const { when, keys, why } of foreign) {
    if (when(tls)) for (const key of keys.filter(isWritten)) say(key, why)
  }
  if (tls.mode !== 'MUTUAL' || tls.credentialName !== undefined) return
  for (const key of ['clientCertificate', 'privateKey'] as const)
    if (!isWritten(key)) say(key, 'is needed for mode MUTUAL, or credentialName in its place')
})

export type ClientTls = z.output<typeof clientTls>
