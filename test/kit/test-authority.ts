/** A certificate authority in files, made with openssl: workload certificates with SPIFFE ids for tests. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { outputOf } from './program.js'

export class TestAuthority {
  readonly folder: string
  private readonly work: string

  private constructor(folder: string, work: string) {
    this.folder = folder
    this.work = work
  }

  static async create(folder: string, work: string): Promise<TestAuthority> {
    const authority = new TestAuthority(folder, work)
    const key = join(work, 'root.key')
    await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key)
    await openssl(
      ...[
        'req',
        '-x509',
        '-new',
        '-key',
        key,
        '-days',
        '2',
        '-subj',
        '/CN=test root',
        '-out',
        join(folder, 'roots.pem'),
      ],
    )
    return authority
  }

  /** `spiffe://shop.example/ns/NAMESPACE/sa/ACCOUNT` */
  identity(account: string, namespace = 'default'): Promise<void> {
    return this.issue(`${namespace}/${account}`, `URI:spiffe://shop.example/ns/${namespace}/sa/${account}`)
  }

  named(name: string, host: string): Promise<void> {
    return this.issue(`named/${name}`, `DNS:${host}`)
  }

  private async issue(name: string, subjectAltName: string): Promise<void> {
    const [key, request, extensions] = ['key', 'csr', 'ext'].map((end) => join(this.work, `leaf.${end}`)) as [
      string,
      string,
      string,
    ]
    const target = join(this.folder, name)
    mkdirSync(dirname(target), { recursive: true })
    await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key)
    await openssl('req', '-new', '-key', key, '-subj', '/CN=leaf', '-out', request)
    writeFileSync(extensions, `subjectAltName=${subjectAltName}\nkeyUsage=digitalSignature\n`)
    const root = ['-CA', join(this.folder, 'roots.pem'), '-CAkey', join(this.work, 'root.key'), '-CAcreateserial']
    await openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...root,
      '-days',
      '1',
      '-extfile',
      extensions,
      '-out',
      `${target}.crt`,
    )
    await openssl('ec', '-in', key, '-out', `${target}.key`)
  }
}

function openssl(...args: string[]): Promise<string> {
  return outputOf('openssl', args)
}
