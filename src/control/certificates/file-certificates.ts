/**
 * Certificates from files, for a mesh without an authority of its own: `NAMESPACE/ACCOUNT.crt` and `.key` for workloads,
 * `roots.pem` and perhaps `revoked.crl` beside them; in `named/NAMESPACE`, `NAME.crt` and `.key` for gateways and for
 * clients of services outside, `NAME.ca.crt` and perhaps `NAME.ca.crl` for who vouches for such services.
 *
 * Invariants: a certificate without its key, or the other way round, is as good as none: never half of a pair. Files are
 * read once for all data planes, and again after a change of the folder.
 */
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Authorities, Certificate, CertificateSource, TrustBundle } from './certificate-source.js'

export interface FileCertificates extends CertificateSource {
  close(): void
}

export interface FileCertificatesOptions {
  /** Monotonic. */
  nowMs?: () => number
  /** Returns the text; throws when there is none. */
  readText?: (path: string) => string
}

/** Should the system not tell of a change, what was read before is looked at again after this time. */
const believedMs = 1_000

export function fileCertificates(
  folder: string,
  { nowMs = () => performance.now(), readText = (path) => readFileSync(path, 'utf8') }: FileCertificatesOptions = {},
): FileCertificates {
  const listeners = new Set<() => void>()
  const read = (name: string): string | null => {
    try {
      return readText(join(folder, name))
    } catch {
      return null // not there is an answer: SDS tells nothing then
    }
  }
  const known = new KnownAnswers(nowMs)
  const watcher: FSWatcher = watch(folder, { recursive: true, persistent: false }, () => {
    known.doubt()
    for (const listener of listeners) listener()
  })
  const pair = (name: string | null) => (name === null ? null : known.answer(name, () => readPair(read, name)))
  return {
    identity: ({ namespace, account }) => pair(fileOf(namespace, account)),
    named: (name) => pair(namedFile(name)),
    authorities(name): Authorities | null {
      const file = namedFile(name)
      return file === null
        ? null
        : known.answer(`${file}.ca`, () => readRoots(read, `${file}.ca.crt`, `${file}.ca.crl`))
    },
    roots: () =>
      known.answer('roots', (): TrustBundle | null => {
        const found = readRoots(read, 'roots.pem', 'revoked.crl')
        return found === null ? null : { ...found, leavesOnly: false }
      }),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => watcher.close(),
  }
}

type Read = (name: string) => string | null

function namedFile(name: string): string | null {
  const [namespace = '', own = ''] = name.split('/')
  return fileOf('named', namespace, own)
}

/** Names come from resources and nodes: none of their parts may lead out of the folder. */
function fileOf(...parts: string[]): string | null {
  return parts.every((part) => /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(part)) ? parts.join('/') : null
}

function readPair(read: Read, name: string): Certificate | null {
  const chain = read(`${name}.crt`)
  const key = read(`${name}.key`)
  return chain === null || key === null ? null : { chain, key }
}

function readRoots(read: Read, rootsFile: string, revokedFile: string): Authorities | null {
  const roots = read(rootsFile)
  return roots === null ? null : { roots, revoked: read(revokedFile) ?? '' }
}

/** Answers that hold until they are doubted; one that turns out to be the same stays the same object. */
class KnownAnswers {
  private readonly answers = new Map<string, { value: object; readAtMs: number }>()
  private readonly nowMs: () => number

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  answer<Value extends object>(name: string, read: () => Value | null): Value | null {
    const last = this.answers.get(name) as { value: Value; readAtMs: number } | undefined
    if (last !== undefined && this.nowMs() - last.readAtMs < believedMs) return last.value
    const found = read()
    const value = last !== undefined && JSON.stringify(found) === JSON.stringify(last.value) ? last.value : found
    // What is not there is asked for by names that anybody may think of: it is not kept.
    if (value === null) this.answers.delete(name)
    else this.answers.set(name, { value, readAtMs: this.nowMs() })
    return value
  }

  doubt(): void {
    for (const answer of this.answers.values()) answer.readAtMs = Number.NEGATIVE_INFINITY
  }
}
