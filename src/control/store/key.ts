/**
 * Names of what the store holds: `{kind, namespace, name}`. The kind of a resource carries its group,
 * `HTTPRoute.gateway.networking.k8s.io`, because two groups have a `Gateway`; kinds without a dot are the store's own.
 */
import { WeftError } from '../../errors.js'

export interface Key {
  kind: string
  namespace: string
  name: string
}

const kindForm = /^[A-Za-z][A-Za-z0-9.-]{0,252}$/
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/

/** One text per key; no part can hold the separator. */
export function formatKey({ kind, namespace, name }: Key): string {
  return `${kind}/${namespace}/${name}`
}

/** Whether the kind is one that people write, and not one of the store's own. */
export function isResourceKind(kind: string): boolean {
  return kind.includes('.')
}

/** Throws `WEFT_STORE_KEY` for names that no file, URL or etcd key should meet. */
export function checkKey(key: Key): void {
  for (const [part, form] of [
    ['kind', kindForm],
    ['namespace', nameForm],
    ['name', nameForm],
  ] as const) {
    if (form.test(key[part])) continue
    throw new WeftError('WEFT_STORE_KEY', `${JSON.stringify(key[part].slice(0, 80))} cannot be a ${part}`, {
      path: part,
      hint: 'start with a letter or digit; at most 253 letters, digits or . _ : -',
    })
  }
}
