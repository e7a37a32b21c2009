import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { indexMesh } from '../../src/control/compile/mesh/mesh.js'
import { resourceKinds } from '../../src/control/resources/index.js'
import { prepareFile } from '../../src/proxy/prepare.js'
import { readResourceFile } from '../kit/mesh-source.js'

describe('an example', () => {
  it.each(
    // filters.yaml names modules, which need the built package: test/integration/filters. What traffic.yaml names and
    // does not work yet stands in test/golden/traffic.
    readdirSync('test/examples').filter(
      (name) =>
        name.endsWith('.yaml') &&
        !['mesh.yaml', 'filters.yaml', 'traffic.yaml', 'ratings.endpoints.yaml'].includes(name),
    ),
  )('%s works as it stands', async (name) => {
    const { plan, snapshot } = await prepareFile(`test/examples/${name}`)
    expect(plan.listeners.length).toBeGreaterThan(0)
    expect(snapshot.length).toBeGreaterThan(0)
  })

  it('mesh.yaml works as it stands', () => {
    const resources = readResourceFile('test/examples/mesh.yaml')
    const mesh = indexMesh({ revision: 1, resources, workloads: [] }, null)
    expect(resources.map(({ kind }) => kind)).toEqual([
      'HTTPRoute',
      'DestinationRule',
      'PeerAuthentication',
      'AuthorizationPolicy',
      'ServiceEntry',
    ])
    for (const kind of resourceKinds) {
      const written = resources.filter(
        (one) => one.kind === kind.kind && kind.apiVersions.some((version) => version === one.apiVersion),
      )
      expect(mesh.kinds.of(kind)).toHaveLength(written.length)
    }
  })
})
