import { describe, expect, it } from 'vitest'
import { noCertificates } from '../../../src/control/certificates/certificate-source.js'
import { findService, indexMesh } from '../../../src/control/compile/mesh/mesh.js'
import type { MeshNode } from '../../../src/control/compile/mesh/node.js'
import { resourceTypes } from '../../../src/control/compile/xds/resources.js'
import { buildSnapshot, changedNames } from '../../../src/control/xds/snapshot.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'

const node: MeshNode = {
  id: 'a',
  plane: 'envoy',
  role: 'sidecar',
  namespace: 'default',
  service: 'front',
  account: 'front',
  labels: {},
  region: '',
  zone: '',
  zoneAware: false,
  outbound: '127.0.0.1:15001',
  inbound: '127.0.0.1:15006',
  app: '127.0.0.1:9080',
  hosts: 'all',
}

function changes(mutate: (mesh: MemoryMesh) => void): string[] {
  const source = new MemoryMesh()
  source.register(workload('reviews', 9081), workload('ratings', 9082), workload('other', 9083, { namespace: 'shop' }))
  const before = indexMesh(source.current(), null)
  const first = buildSnapshot(before, node, noCertificates)
  mutate(source)
  const second = buildSnapshot(indexMesh(source.current(), before), node, noCertificates)
  return resourceTypes.flatMap((type) => [...changedNames(first, second, type)].map((name) => `${type} ${name}`)).sort()
}

describe('a change of the mesh', () => {
  it('touches the endpoints of one service when one of its workloads comes or goes', () => {
    expect(changes((mesh) => mesh.register(workload('reviews', 9999)))).toEqual(['endpoints default/reviews/main'])
    expect(changes((mesh) => mesh.deregister('ratings-9082'))).toEqual(
      expect.arrayContaining(['clusters default/ratings/main', 'endpoints default/ratings/main', 'routes outbound']),
    )
  })

  it('touches nothing when the same is said again', () => {
    expect(changes((mesh) => mesh.register(workload('reviews', 9081, { epoch: 7 })))).toEqual([])
  })

  it('touches routes and no listener when an AuthorizationPolicy or a fault comes', () => {
    const policy = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: deny }
spec: { action: DENY, rules: [{}] }`
    expect(changes((mesh) => mesh.apply(policy))).toEqual(['routes inbound'])
    const fault = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: drill }
spec: { hosts: [reviews], http: [{ fault: { abort: { httpStatus: 500 } }, route: [{ destination: { host: reviews } }] }] }`
    expect(changes((mesh) => mesh.apply(fault))).toEqual(['routes outbound'])
  })

  it('keeps the same objects for what all data planes share', () => {
    const source = new MemoryMesh()
    source.register(workload('reviews', 9081))
    const mesh = indexMesh(source.current(), null)
    const one = buildSnapshot(mesh, node, noCertificates)
    const two = buildSnapshot(mesh, { ...node, id: 'b', service: 'back', inbound: '127.0.0.1:1' }, noCertificates)
    expect(one.parts.clusters[0]).toBe(two.parts.clusters[0])
    expect(one.parts.endpoints[0]).toBe(two.parts.endpoints[0])
  })
})

describe('a name of a service', () => {
  it('is found short in its namespace, long everywhere, and nowhere else', () => {
    const source = new MemoryMesh()
    source.register(workload('reviews', 9081), workload('reviews', 9082, { namespace: 'shop', id: 'x' }))
    const mesh = indexMesh(source.current(), null)
    const key = (host: string, namespace: string) => findService(mesh, host, namespace)?.key ?? null
    expect(key('reviews', 'default')).toBe('default/reviews')
    expect(key('reviews', 'shop')).toBe('shop/reviews')
    expect(key('reviews', 'elsewhere')).toBe(null)
    expect(key('reviews.shop', 'default')).toBe('shop/reviews')
    expect(key('reviews.shop.svc.cluster.local', 'default')).toBe('shop/reviews')
    expect(key('reviews.shop.svc.other.domain', 'default')).toBe(null)
  })
})
