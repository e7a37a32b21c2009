import { expect, it } from 'vitest'
import { effectsOn } from '../../../src/control/compile/effects.js'
import { indexMesh } from '../../../src/control/compile/mesh/mesh.js'
import type { MeshNode } from '../../../src/control/compile/mesh/node.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'

const sidecar: MeshNode = {
  ...{ id: 'page-1', plane: 'envoy', role: 'sidecar', namespace: 'default', service: 'page', account: 'page' },
  ...{
    labels: {},
    region: '',
    zone: '',
    zoneAware: false,
    outbound: '127.0.0.1:1',
    inbound: '127.0.0.1:2',
    app: '127.0.0.1:3',
  },
  hosts: 'all',
}

const resources = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules: [{ backendRefs: [{ name: reviews, port: 80 }] }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec: { host: reviews, trafficPolicy: { loadBalancer: { simple: RANDOM } } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow }
spec: { workloadSelector: { labels: { app: page } }, egress: [{ hosts: ['./reviews', './reviews.example'] }] }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: second }
spec: { workloadSelector: { labels: { app: page } }, egress: [{ hosts: ['*/*'] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers }
spec: { selector: { matchLabels: { app: page } }, rules: [{ to: [{ operation: { methods: [GET] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: elsewhere }
spec: { selector: { matchLabels: { app: reviews } }, rules: [] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec: { jwtRules: [{ issuer: 'https://issuer.example' }] }
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: told }
spec: { accessLogging: [{ providers: [{ name: envoy }] }], tracing: [{ providers: [{ name: nobody }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: root }
spec: { hosts: [reviews.example], http: [{ match: [{ sourceLabels: { app: page } }], delegate: { name: rest } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: rest }
spec: { http: [{ route: [{ destination: { host: reviews } }] }] }
`

it('says of each resource that reaches a data plane what it does there, and what keeps it from it', () => {
  const source = new MemoryMesh()
  source.apply(resources)
  source.register(workload('reviews', 9081), workload('ratings', 9082))
  const effects = effectsOn(indexMesh(source.current(), null), sidecar, true)
  const told = effects.map(({ kind, name, parts }) => [
    `${kind} ${name}`,
    ...parts.map(({ side, part }) => `${side}: ${part}`),
  ])
  expect(told).toEqual([
    ['AuthorizationPolicy readers', 'server: authorization'],
    ['DestinationRule reviews', 'client: cluster default/reviews/main'],
    ['HTTPRoute canary', 'client: routes of reviews'],
    ['PeerAuthentication default', 'server: mutual TLS strict'],
    ['RequestAuthentication tokens', 'server: tokens'],
    ['Sidecar narrow', 'client: what it may reach'],
    ['Sidecar second'],
    ['Telemetry told', 'client: access log', 'client: tracing', 'server: access log', 'server: tracing'],
    ['VirtualService rest', 'client: routes of reviews.example'],
    ['VirtualService root', 'client: routes of reviews.example'],
  ])
  const notesOf = (name: string) => effects.find((effect) => effect.name === name)?.notes
  expect(notesOf('told')).toEqual([expect.stringContaining('there is no provider nobody for traces')])
  expect(notesOf('second')).toEqual([expect.stringContaining('Sidecar default/narrow is older')])
})

it('says which resources steer the connections of an application, and which listeners a Sidecar names', () => {
  const source = new MemoryMesh()
  source.apply(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db }
spec: { hosts: [db], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 5432, name: sql, protocol: TCP }], endpoints: [{ address: 10.0.0.7 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: { name: db }
spec: { parentRefs: [{ kind: Service, name: db }], rules: [{ backendRefs: [{ name: db, port: 5432 }] }] }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: page }
spec: { ingress: [{ port: { number: 9000, protocol: TCP, name: tcp }, defaultEndpoint: '127.0.0.1:9001' }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: who }
spec: { selector: { matchLabels: { app: page } }, rules: [{ from: [{ source: { namespaces: [default] } }] }] }
`)
  const effects = effectsOn(indexMesh(source.current(), null), sidecar, true)
  const told = effects.map(({ kind, name, parts }) => [
    `${kind} ${name}`,
    ...parts.map(({ side, part }) => `${side}: ${part}`),
  ])
  expect(told).toEqual([
    ['AuthorizationPolicy who', 'server: authorization'],
    ['ServiceEntry db', 'client: cluster tcp:default/db/5432'],
    ['Sidecar page', 'client: what it may reach', 'server: listeners'],
    ['TCPRoute db', 'client: connections of 127.0.0.1:5432'],
  ])
})
