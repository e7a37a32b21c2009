/** Short ways to write to a store in tests. */
import type { Key } from '../../src/control/store/key.js'
import type { Applied, Change, Store, Value } from '../../src/control/store/store.js'

export const route = (name: string, namespace = 'default'): Key => ({
  kind: 'HTTPRoute.gateway.networking.k8s.io',
  namespace,
  name,
})

export function put(name: string, value: Value, expect: number | null = null): Change {
  return { key: route(name), value, expect }
}

export function remove(name: string, expect: number | null = null): Change {
  return { key: route(name), value: null, expect }
}

export function write(store: Store, author: string, ...changes: Change[]): Promise<Applied> {
  return store.commit({ author, reason: 'test', changes })
}
