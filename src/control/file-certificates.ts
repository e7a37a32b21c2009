/**
 * Certificates from files, for a mesh without an authority of its own: `NAMESPACE/ACCOUNT.crt` and `.key` for workloads,
 * `named/NAMESPACE/NAME.crt` and `.key` for gateways, `roots.pem` and perhaps `revoked.crl` beside them.
 *
 * Invariant: a certificate without its key, or the other way round, is as good as none: never half of a pair.
 */
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Certificate, CertificateSource, TrustBundle } from './certificate-source.js'

export interface FileCertificates extends CertificateSource {
  close(): void
}

export function fileCertificates(folder: string): FileCertificates {
  const listeners = new Set<() => void>()
  const watcher: FSWatcher = watch(folder, { recursive: true, persistent: false }, () => {
    for (const listener of listeners) listener()
  })
  return {
    identity: ({ namespace, account }) => pair(folder, namespace, account),
    named(name) {
      const [namespace = '', own = ''] = name.split('/')
      return pair(folder, 'named', namespace, own)
    },
    roots(): TrustBundle | null {
      const roots = read(folder, 'roots.pem')
      return roots === null ? null : { roots, revoked: read(folder, 'revoked.crl') ?? '', leavesOnly: false }
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => watcher.close(),
  }
}

/** Names come from resources and nodes: none of their parts may lead out of the folder. */
function pair(folder: string, ...parts: string[]): Certificate | null {
  if (parts.some((part) => !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(part))) return null
  const chain = read(folder, `${parts.join('/')}.crt`)
  const key = read(folder, `${parts.join('/')}.key`)
  return chain === null || key === null ? null : { chain, key }
}

function read(folder: string, name: string): string | null {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return null // not there is an answer: SDS tells nothing then
  }
}
