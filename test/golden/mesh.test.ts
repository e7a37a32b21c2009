/**
 * One folder, one case: `resources.yaml` (or the example of the mesh) and `case.json` (workloads, a node) become the
 * nouns of that node's view in `nouns.json` and its xDS resources in `xds.json`, or are refused with `issues.json`. The
 * expectation is written with `vitest -u` and read by a person before it is committed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CORE_SCHEMA, loadAll } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { CertificateSource } from '../../src/control/certificates/certificate-source.js'
import { lintMesh } from '../../src/control/compile/lint.js'
import { defaultMeshOptions, indexMesh, type MeshOptions } from '../../src/control/compile/mesh/mesh.js'
import type { MeshNode } from '../../src/control/compile/mesh/node.js'
import { compileView } from '../../src/control/compile/view.js'
import { resourceTypes } from '../../src/control/compile/xds/resources.js'
import { validateResource } from '../../src/control/resources/index.js'
import { buildSnapshot, find, namesOf } from '../../src/control/xds/snapshot.js'
import { readResources, workload } from '../kit/mesh-source.js'
import { parseProviders } from '../kit/providers.js'

const folder = join(import.meta.dirname, 'mesh')

interface Case {
  workloads: [string, number, Parameters<typeof workload>[2]?][]
  node: Partial<MeshNode>
  mesh?: Partial<MeshOptions>
  /** Extension providers as a person writes them. */
  providers?: object[]
  /** Names that a gRPC client dials. */
  dials?: string[]
  /** Hosts that an Envoy asks for on demand. */
  asks?: string[]
}

const someNode: MeshNode = {
  id: 'productpage-1',
  plane: 'envoy',
  role: 'sidecar',
  namespace: 'default',
  service: 'productpage',
  account: 'productpage',
  labels: {},
  region: 'east',
  zone: 'east-a',
  zoneAware: false,
  outbound: '127.0.0.1:15001',
  inbound: null,
  app: null,
  hosts: 'all',
}

/** One that has everything. */
const certificates: CertificateSource = {
  identity: ({ namespace, account }) => ({ chain: `certificate of ${namespace}/${account}`, key: 'key' }),
  named: (name) => ({ chain: `certificate ${name}`, key: 'key' }),
  authorities: (name) => ({ roots: `authorities ${name}`, revoked: '' }),
  roots: () => ({ roots: 'roots', revoked: '', leavesOnly: false }),
  onChange: () => () => {},
}

describe('mesh resources', () => {
  it.each(readdirSync(folder))('%s', async (name) => {
    const at = (file: string) => join(folder, name, file)
    const yaml = readFileSync(
      existsSync(at('resources.yaml')) ? at('resources.yaml') : 'test/examples/mesh.yaml',
      'utf8',
    )
    const documents = loadAll(yaml, { schema: CORE_SCHEMA })
    const issues = documents.flatMap((document, index) =>
      validateResource(document).issues.map((issue) => ({ document: index, ...issue })),
    )
    if (issues.length > 0) return expect(text(issues)).toMatchFileSnapshot(at('issues.json'))
    expect(existsSync(at('issues.json'))).toBe(false)
    const {
      workloads,
      node: written,
      mesh: options = {},
      providers,
      dials = [],
      asks = [],
    } = JSON.parse(readFileSync(at('case.json'), 'utf8')) as Case
    const state = {
      revision: 1,
      resources: readResources(yaml),
      workloads: workloads.map(([...one]) => workload(...one)),
    }
    const declared = providers === undefined ? {} : { extensionProviders: parseProviders(providers) }
    const all: MeshOptions = { ...defaultMeshOptions, trustDomain: 'shop.example', ...options, ...declared }
    const mesh = indexMesh(state, null, all)
    const node = { ...someNode, ...written }
    const { node: _, ...nouns } = compileView(mesh, node)
    await expect(text({ ...nouns, lint: lintMesh(mesh) })).toMatchFileSnapshot(at('nouns.json'))
    const snapshot = buildSnapshot(mesh, node, certificates)
    const resources = resourceTypes.map((type) => {
      const asked = type === 'listeners' ? dials : type === 'virtualHosts' ? asks : []
      const names = [...namesOf(snapshot, type), ...asked]
      return [type, names.map((one) => find(snapshot, type, one)?.json ?? `no ${one}`)]
    })
    await expect(text(Object.fromEntries(resources))).toMatchFileSnapshot(at('xds.json'))
  })
})

function text(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
