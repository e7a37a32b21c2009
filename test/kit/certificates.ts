/** A small authority for tests, made with openssl: files in a scratch folder. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from './scratch.js'

export interface Authority {
  /** PEM file of the authority's own certificate. */
  ca: string
  /** Signs a certificate for the names, such as `IP:127.0.0.1` or `URI:spiffe://shop/ns/a/sa/b`. */
  issue(commonName: string, names: string): { certificate: string; key: string }
  /** PEM file of the list of all that it has taken back, these among them. */
  revoke(...certificates: string[]): string
}

export function makeAuthority(): Authority {
  const folder = scratchFolder()
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-subj',
    '/CN=test',
    '-days',
    '2',
  )
  let issued = 0
  return {
    ca: file('ca.pem'),
    issue(commonName, names) {
      issued += 1
      const [key, request, certificate] = [file(`${issued}.key`), file(`${issued}.csr`), file(`${issued}.pem`)]
      writeFileSync(file(`${issued}.ext`), `subjectAltName=${names}\n`)
      openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${commonName}`)
      openssl(
        ...['x509', '-req', '-in', request, '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial'],
        ...['-days', '2', '-extfile', file(`${issued}.ext`), '-out', certificate],
      )
      return { certificate, key }
    },
    revoke(...certificates) {
      const config = `[ca]
default_ca = own
[own]
database = ${file('index')}
certificate = ${file('ca.pem')}
private_key = ${file('ca.key')}
default_md = sha256
default_crl_days = 2
`
      writeFileSync(file('ca.cnf'), config)
      writeFileSync(file('index'), '', { flag: 'a' })
      for (const one of certificates) openssl('ca', '-config', file('ca.cnf'), '-revoke', one)
      issued += 1
      openssl('ca', '-config', file('ca.cnf'), '-gencrl', '-out', file(`${issued}.crl`))
      return file(`${issued}.crl`)
    },
  }
}
