import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { compileCluster } from '../../../src/control/compile/clusters/clusters.js'
import { clientsOf } from '../../../src/control/compile/clusters/destination-rules.js'
import { clusterEndpoints } from '../../../src/control/compile/clusters/endpoints.js'
import { indexMesh } from '../../../src/control/compile/mesh/mesh.js'
import { validateResource } from '../../../src/control/resources/index.js'
import { checkResources } from '../../../src/control/state/check-resources.js'
import { makeAuthority } from '../../kit/certificates.js'
import { MemoryMesh } from '../../kit/mesh-source.js'

const authority = makeAuthority()
const root = readFileSync(authority.ca, 'utf8')
const leaf = authority.issue('bank', 'DNS:bank.example')

const map = (data: object, more: object = {}) => {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'roots' }, data, ...more }
}
const dayMs = 86_400_000

it('is taken with one authority or several, and with words between them', () => {
  expect(validateResource(map({ 'ca.crt': root })).issues).toEqual([])
  expect(validateResource(map({ 'ca.crt': `# ours\n${root}\n# again\n${root}` })).issues).toEqual([])
})

it.each([
  [{ 'ca.crt': '' }, 'holds no certificate'],
  [{ 'ca.crt': 'nothing' }, 'holds no certificate'],
  [{ 'ca.crt': root.replace(/\n[^-\n]{20}/, '\n') }, 'certificate 1 cannot be read'],
  [{ 'ca.crt': root + readFileSync(leaf.certificate, 'utf8') }, 'certificate 2 (CN=bank) is no authority (CA:TRUE)'],
  [{ 'ca.crt': root + readFileSync(leaf.key, 'utf8') }, 'holds a private key'],
  [{ 'ca.crt': 'x'.repeat(262_145) }, `must have at most 262144 characters, found "${'x'.repeat(79)}…`],
])('is refused with its path where a certificate is wrong: %#', (data, message) => {
  const { issues } = validateResource(map(data))
  expect(issues).toMatchObject([{ path: 'data["ca.crt"]', code: 'WEFT_CONFIG_VALUE', message }])
})

it('is refused when an authority has expired, and read again when one expires later', () => {
  const { issues } = validateResource(map({ 'ca.crt': root }), Date.now() + 3 * dayMs)
  expect(issues).toMatchObject([
    { path: 'data["ca.crt"]', message: expect.stringMatching(/^certificate 1 \(CN=test\) expired at 20/) },
  ])
})

it('is refused with what has no meaning here', () => {
  const { issues } = validateResource(map({ 'ca.crt': root, other: '' }, { binaryData: {}, spec: {} }))
  expect(issues.map(({ path, code }) => [path, code])).toEqual([
    ['binaryData', 'WEFT_CONFIG_NOT_YET'],
    ['spec', 'WEFT_CONFIG_UNKNOWN_KEY'],
    ['data.other', 'WEFT_CONFIG_UNKNOWN_KEY'],
  ])
  expect(validateResource({ ...map({}), data: undefined }).issues).toMatchObject([{ path: 'data["ca.crt"]' }])
})

const entry = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'ServiceEntry',
  metadata: { name: 'bank' },
  spec: { hosts: ['bank'], ports: [{ number: 443, name: 'http' }], resolution: 'DNS' },
}

function policy(validation: object) {
  const targetRefs = [{ group: '', kind: 'Service', name: 'bank' }]
  const spec = { targetRefs, validation: { hostname: 'bank.example', ...validation } }
  return { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'BackendTLSPolicy', metadata: { name: 'bank' }, spec }
}

const refs = (...names: string[]) => ({
  caCertificateRefs: names.map((name) => ({ group: '', kind: 'ConfigMap', name })),
})

it('is found by a BackendTLSPolicy of its namespace; what is not found is said with its path', () => {
  const roots = map({ 'ca.crt': root })
  const elsewhere = { ...roots, metadata: { name: 'far', namespace: 'shop' } }
  expect(checkResources([entry, roots, policy(refs('roots'))])).toEqual([])
  expect(checkResources([entry, roots, elsewhere, policy(refs('roots', 'far'))])).toMatchObject([
    { path: 'spec.validation.caCertificateRefs[1]', message: 'there is no ConfigMap default/far' },
  ])
  expect(checkResources([entry, policy(refs('roots'))])).toMatchObject([
    {
      resource: 'BackendTLSPolicy.gateway.networking.k8s.io/default/bank',
      path: 'spec.validation.caCertificateRefs[0]',
      message: 'there is no ConfigMap default/roots; its services are not asked until there is',
    },
  ])
})

it.each([
  [{}, 'spec.validation'],
  [{ ...refs('roots'), wellKnownCACertificates: 'System' }, 'spec.validation'],
  [refs(), 'spec.validation.caCertificateRefs'],
  [refs(...'abcdefghi'), 'spec.validation.caCertificateRefs'],
  [{ caCertificateRefs: [{ group: '', kind: 'Secret', name: 'a' }] }, 'spec.validation.caCertificateRefs[0].kind'],
  [
    { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'a', namespace: 'b' }] },
    'spec.validation.caCertificateRefs[0].namespace',
  ],
])('is named by a policy that says who may vouch, once, and in no other namespace: %#', (validation, path) => {
  expect(validateResource(policy(validation)).issues.map((issue) => issue.path)).toEqual([path])
})

it('closes a service whose policy finds nobody to believe, but not to connections that are TLS already', () => {
  const source = new MemoryMesh()
  const resources = [{ ...entry, spec: { ...entry.spec, resolution: 'STATIC', endpoints: [{ address: '127.0.0.1' }] } }]
  source.apply([...resources, policy(refs('gone'))].map((one) => `---\n${JSON.stringify(one)}\n`).join(''))
  const mesh = indexMesh(source.current(), null)
  const service = mesh.services.get('default/bank')?.definition
  const port = service?.ports[0]
  if (service === undefined || port === undefined) throw new Error('the entry makes a service')
  const endpoints = (carried: 'requests' | 'tls') => {
    const cluster = compileCluster(mesh, { service, port, subset: undefined, client: clientsOf('default'), carried })
    return clusterEndpoints(mesh, cluster, { region: '', zone: '', labels: {} }).localities.flatMap(
      (one) => one.endpoints,
    ).length
  }
  expect([endpoints('requests'), endpoints('tls')]).toEqual([0, 1])
})
