import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { effectsOn } from '../../../src/control/compile/effects.js'
import { forConnections } from '../../../src/control/compile/gateways/connection-authorization.js'
import { type Claimant, type NameClaim, settleNames } from '../../../src/control/compile/gateways/server-names.js'
import { defaultMeshOptions, indexMesh } from '../../../src/control/compile/mesh/mesh.js'
import type { MeshNode } from '../../../src/control/compile/mesh/node.js'
import type { Condition } from '../../../src/control/compile/nouns.js'
import { authorizationFor } from '../../../src/control/compile/policies/authorization.js'
import { authorizersFor } from '../../../src/control/compile/policies/authorizers.js'
import { compileView } from '../../../src/control/compile/view.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'
import { parseProviders } from '../../kit/providers.js'
import { undecided } from '../../kit/undecided.js'

function claimant(name: string, listener: string, ...names: string[]): Claimant {
  return {
    listener,
    origin: { kind: 'TLSRoute', namespace: 'default', name, path: 'spec.rules[0]' },
    claims: names.map((one, index) => ({ name: one, path: `spec.hostnames[${index}]` })),
  }
}

const edge: MeshNode = {
  ...{ id: 'edge-1', plane: 'envoy', role: 'gateway', namespace: 'default', service: 'edge', account: 'edge' },
  ...{ labels: {}, region: '', zone: '', zoneAware: false, outbound: null, inbound: null, app: null, hosts: 'all' },
}

const namesOf = (held: NameClaim[][]) => held.map((list) => list.map(({ name }) => name))

describe('a server name that several routes claim', () => {
  it('goes to the older one, which keeps the rest of its names, and the others are told', () => {
    const { held, findings } = settleNames(
      [claimant('older', '*', 'a.example', '*.example'), claimant('younger', '*', 'b.example', 'a.example')],
      '127.0.0.1:443',
    )
    expect(namesOf(held)).toEqual([['a.example', '*.example'], ['b.example']])
    expect(findings).toEqual([
      {
        severity: 'error',
        code: 'WEFT_MESH_CONFLICT',
        origin: { kind: 'TLSRoute', namespace: 'default', name: 'younger', path: 'spec.hostnames[1]' },
        message: 'a.example at 127.0.0.1:443 goes to TLSRoute default/older spec.hostnames[0] already',
        hint: expect.stringContaining('then the older'),
      },
    ])
  })

  it('goes to the one whose listener is narrower, whatever its age', () => {
    const { held } = settleNames(
      [
        claimant('any', '*', 'a.b.example'),
        claimant('wide', '*.example', 'a.b.example'),
        claimant('narrow', '*.b.example', 'a.b.example'),
        claimant('exact', 'a.b.example', 'a.b.example'),
      ],
      'a port',
    )
    expect(namesOf(held)).toEqual([[], [], [], ['a.b.example']])
  })

  it('is held once, by somebody who claims it, and each loss is told', () => {
    const names = fc.subarray(['a.example', 'b.example', '*.example', '*'])
    const listeners = fc.constantFrom('*', '*.example', 'a.example')
    fc.assert(
      fc.property(fc.array(fc.tuple(listeners, names), { maxLength: 8 }), (written) => {
        const claimants = written.map(([listener, claimed], index) => claimant(`r${index}`, listener, ...claimed))
        const { held, findings } = settleNames(claimants, 'a port')
        const all = namesOf(held).flat()
        expect(new Set(all).size).toBe(all.length)
        expect(new Set(all)).toEqual(new Set(written.flatMap(([, claimed]) => claimed)))
        expect(all.length + findings.length).toBe(written.flatMap(([, claimed]) => claimed).length)
        for (const [index, own] of namesOf(held).entries())
          expect(written[index]?.[1]).toEqual(expect.arrayContaining(own))
      }),
    )
  })
})

describe('a rule that asks of requests, for connections', () => {
  const header: Condition = { header: { name: 'x', exact: 'y' } }
  const port: Condition = { port: 443 }
  const decide = (condition: Condition, answers: boolean): boolean => {
    if ('all' in condition) return condition.all.every((one) => decide(one, answers))
    if ('any' in condition) return condition.any.some((one) => decide(one, answers))
    if ('not' in condition) return !decide(condition.not, answers)
    if ('always' in condition) return true
    return 'header' in condition ? answers : true
  }
  const { condition: conditions } = fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(header, port, { not: port }),
      fc.record({ all: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ any: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ not: tie('condition') }),
    ),
  }))

  it('denies whatever some request would be denied for, and allows what any request would be allowed', () => {
    fc.assert(
      fc.property(conditions, (condition) => {
        const rules = [{ name: 'AuthorizationPolicy default/x rules[0]', condition }]
        const { authorization } = forConnections({ ...undecided, deny: rules, allow: rules }, 'here')
        const [denied, allowed] = [authorization.deny[0]?.condition, authorization.allow?.[0]?.condition]
        if (denied === undefined || allowed === undefined) throw new Error('each rule stays')
        const [one, other] = [decide(condition, true), decide(condition, false)]
        if (one || other) expect(decide(denied, false)).toBe(true)
        if (!one || !other) expect(decide(allowed, true)).toBe(false)
        // Nothing of a request is left to ask.
        expect(JSON.stringify(authorization)).not.toContain('header')
      }),
    )
  })
})

describe('a CUSTOM policy, for connections', () => {
  it('denies what it cannot ask about', () => {
    const source = new MemoryMesh()
    source.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: asked }
spec: { action: CUSTOM, provider: { name: opa }, rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }], to: [{ operation: { paths: [/x] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: recorded }
spec: { action: AUDIT, rules: [{}] }`)
    const options = parseProviders([{ name: 'opa', envoyExtAuthzGrpc: { service: '127.0.0.1', port: 9000 } }])
    const mesh = indexMesh(source.current(), null, { ...defaultMeshOptions, extensionProviders: options })
    const policies = authorizationFor(mesh, edge)
    if (policies === null) throw new Error('there are policies')
    expect(policies.custom.map(({ rules }) => rules.length)).toEqual([1])
    const { authorization, findings } = forConnections(policies, 'here')
    expect(authorization).toMatchObject({ audit: [], custom: [], allow: null })
    expect(authorization.deny.map(({ name }) => name)).toEqual(['AuthorizationPolicy default/asked rules[0]'])
    const condition = JSON.stringify(authorization.deny)
    expect([condition.includes('10.0.0.0/8'), condition.includes('path')]).toEqual([true, false])
    expect(findings.map(({ message }) => message)).toEqual([
      expect.stringContaining('default/asked rules[0] cannot be asked about, so it denies'),
      expect.stringContaining('default/recorded rules[0] records none of'),
    ])
  })
})

describe('CUSTOM policies of more providers than a request can be asked about', () => {
  it('deny what the last of them would have asked about, and say so', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const source = new MemoryMesh()
    for (const name of names)
      source.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name} }
spec: { action: CUSTOM, provider: { name: ${name} }, rules: [{ to: [{ operation: { paths: [/${name}] } }] }] }`)
    const providers = names.map((name) => ({ name, envoyExtAuthzGrpc: { service: '127.0.0.1', port: 9000 } }))
    const options = { ...defaultMeshOptions, extensionProviders: parseProviders(providers) }
    const mesh = indexMesh(source.current(), null, options)
    const { custom, deny } = authorizationFor(mesh, edge) ?? undecided
    expect(custom.map(({ authorizer }) => authorizer.name)).toEqual(['a', 'b', 'c', 'd'])
    expect(deny.map(({ name }) => name)).toEqual(['AuthorizationPolicy default/e rules[0]'])
    const { clusters, findings } = authorizersFor(mesh, edge)
    expect(clusters.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd'].map((name) => `authorizer/${name}`))
    expect(findings).toMatchObject([{ origin: { name: 'e' }, stops: true }])
  })
})

describe('a gateway that forwards connections', () => {
  const resources = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, listeners: [{ name: tcp, port: 5432, protocol: TCP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: { name: database }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: database, port: 5432 }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: who }
spec: { targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }], action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }`
  const mesh = () => {
    const source = new MemoryMesh()
    source.register(workload('database', 5432))
    source.apply(resources)
    return indexMesh(source.current(), null)
  }

  it('is reached by the route and by the policies that decide who may connect', () => {
    const effects = effectsOn(mesh(), edge, false).map(({ kind, parts, notes }) => [kind, parts, notes])
    expect(effects).toEqual([
      [
        'AuthorizationPolicy',
        [{ side: 'server', part: 'authorization' }],
        [expect.stringContaining('AuthorizationPolicy default/who rules[0] asks of requests, so it denies')],
      ],
      ['Gateway', [{ side: 'server', part: 'listeners' }], []],
      ['TCPRoute', [{ side: 'server', part: 'connections of 0.0.0.0:5432' }], []],
    ])
  })

  it('cannot be a gRPC client, which says so by name', () => {
    const { listeners, clusters, findings } = compileView(mesh(), { ...edge, plane: 'grpc' })
    expect([listeners, clusters]).toEqual([[], [[]]])
    expect(findings).toContainEqual({
      severity: 'error',
      code: 'WEFT_MESH_UNSUPPORTED',
      origin: { kind: 'TCPRoute', namespace: 'default', name: 'database', path: 'spec.rules[0]' },
      message: 'grpc data planes lack forwarding connections; TCPRoute default/database is not in force there',
      hint: null,
      stops: true,
    })
  })
})
