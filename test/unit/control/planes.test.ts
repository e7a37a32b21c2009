import { describe, expect, it } from 'vitest'
import { type CertificateSource, noCertificates } from '../../../src/control/certificates/certificate-source.js'
import { indexMesh } from '../../../src/control/compile/mesh/mesh.js'
import type { MeshNode } from '../../../src/control/compile/mesh/node.js'
import type { Origin } from '../../../src/control/compile/nouns.js'
import { Planes } from '../../../src/control/xds/planes.js'
import { blame } from '../../../src/control/xds/verdicts.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'
import { Notes, subscription } from '../../kit/xds-snapshot.js'

function node(id: string, account: string): MeshNode {
  const who = { id, plane: 'envoy', role: 'sidecar', namespace: 'default', service: account, account } as const
  return {
    ...who,
    labels: {},
    region: '',
    zone: '',
    zoneAware: false,
    outbound: '127.0.0.1:1',
    inbound: null,
    app: null,
    hosts: 'all',
  }
}

/** A source that fails for one account, as a defect would. */
const certificates: CertificateSource = {
  ...noCertificates,
  identity({ account }) {
    if (account === 'bad') throw new Error('a defect')
    return null
  },
}

describe('the connected data planes', () => {
  it('go on when the mesh cannot be compiled for one of them, and its verdict says so', async () => {
    const source = new MemoryMesh()
    const planes = new Planes(indexMesh(source.current(), null), certificates, () => 0)
    source.apply(
      'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: strict }\nspec: { mtls: { mode: STRICT } }',
    )
    const needy = { ...node('broken', 'bad'), inbound: '127.0.0.1:2', app: '127.0.0.1:3' }
    planes.connect(needy, new Notes(false))
    const notes = new Notes(false)
    const good = planes.connect(node('sound', 'good'), notes)
    good.stream.request(subscription('clusters', { wildcard: true }))
    good.stream.request(subscription('clusters', { nonce: '1' }))
    source.register(workload('reviews', 9081))
    await planes.tell(indexMesh(source.current(), null))
    expect(notes.take()).toEqual(['clusters', expect.stringMatching(/^clusters default\/reviews\/main=/)])
    good.stream.request(subscription('clusters', { nonce: '2' }))
    good.stream.request(subscription('endpoints', { subscribe: ['default/reviews/main'] }))
    good.stream.request(subscription('endpoints', { nonce: '3' }))
    const verdicts = await planes.settled(source.current().revision, AbortSignal.timeout(1000))
    expect(verdicts.map(({ node: id, state }) => [id, state])).toEqual([
      ['broken', 'refused'],
      ['sound', 'applied'],
    ])
    expect(verdicts[0]?.issues).toEqual([
      { code: 'WEFT_XDS_REFUSED', origin: null, message: expect.stringContaining('a defect') },
    ])
  })

  it('are told the newest mesh when several come while they are being told', async () => {
    const source = new MemoryMesh()
    let now = 0
    // Each look at the clock is a long time after the one before, so that the loop goes round for every plane.
    const planes = new Planes(indexMesh(source.current(), null), noCertificates, () => (now += 1000))
    const all = ['a', 'b', 'c'].map((id) => planes.connect(node(id, 'x'), new Notes(false)))
    const tells = [1, 2, 3].map((port) => {
      source.register(workload('reviews', port))
      return planes.tell(indexMesh(source.current(), null))
    })
    await Promise.all(tells)
    expect(all.map(({ stream }) => stream.snapshot?.revision)).toEqual([4, 4, 4])
  })
})

describe('the blame for a complaint', () => {
  const piece = (name: string, text: string): { origin: Origin; text: string } => ({
    origin: { kind: 'HTTPRoute', namespace: 'default', name, path: 'spec' },
    text,
  })
  const pieces = [piece('one', '{"prefix":"/api","regex":"(a"}'), piece('two', '{"prefix":"/api","regex":"(b+"}')]

  it('falls on what holds the rarest of its words', () => {
    expect(blame(pieces, 'invalid regex "(b+": missing )').map(({ name }) => name)).toEqual(['two'])
    expect(blame(pieces, 'the prefix /api is odd').map(({ name }) => name)).toEqual(['one', 'two'])
  })

  it('falls on all where no word tells them apart', () => {
    expect(blame(pieces, 'no').map(({ name }) => name)).toEqual(['one', 'two'])
  })
})
