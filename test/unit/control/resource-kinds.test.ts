import { describe, expect, it } from 'vitest'
import { kindId, resolveKind } from '../../../src/control/state/resource-kinds.js'

const known = [
  { kind: 'HTTPRoute', group: 'gateway.networking.k8s.io' },
  { kind: 'Gateway', group: 'gateway.networking.k8s.io' },
  { kind: 'Gateway', group: 'networking.istio.io' },
  { kind: 'AuthorizationPolicy', group: 'security.istio.io' },
]

describe('the name of a kind', () => {
  it.each([
    ['HTTPRoute.gateway.networking.k8s.io', 'HTTPRoute.gateway.networking.k8s.io'],
    ['httproute', 'HTTPRoute.gateway.networking.k8s.io'],
    ['httproutes', 'HTTPRoute.gateway.networking.k8s.io'],
    ['AuthorizationPolicies', 'AuthorizationPolicy.security.istio.io'],
    ['gateway.networking.istio', 'Gateway.networking.istio.io'],
    ['gateways.gateway', 'Gateway.gateway.networking.k8s.io'],
  ])('%s is understood', (written, id) => expect(resolveKind(written, { known })).toBe(id))

  it.each(['gateway', 'route', 'httproute.istio', '', 'token'])('%s is refused', (written) => {
    expect(() => resolveKind(written, { known })).toThrow(expect.objectContaining({ code: 'WEFT_API_KIND' }))
  })

  it('carries the group and not the version', () => {
    expect(kindId('networking.istio.io/v1beta1', 'Gateway')).toBe('Gateway.networking.istio.io')
  })
})
