import { describe, expect, it } from 'vitest'
import type { RouteTable } from '../../../src/control/compile/nouns.js'
import { steeredBy } from '../../../src/control/compile/xds/on-demand-hosts.js'
import { XdsStream } from '../../../src/control/xds/stream.js'
import { Notes, snapshotOf, subscription } from '../../kit/xds-snapshot.js'

const table: RouteTable = {
  name: 'outbound',
  hosts: [
    { name: 'web', hosts: ['web', 'web:*', 'Web.Shop'], routes: [] },
    { name: 'admin', hosts: ['web:9000'], routes: [] },
    { name: 'any', hosts: ['*.example'], routes: [] },
    { name: 'longer', hosts: ['*.shop.example'], routes: [] },
  ],
  authorization: null,
}

describe('the host that a name means', () => {
  it.each([
    ['web', 'web'],
    ['web:80', 'web'],
    ['web:', undefined],
    ['web:9000', 'admin'],
    ['WEB.shop', 'web'],
    ['a.example', 'any'],
    ['a.shop.example', 'longer'],
    ['.shop.example', 'any'],
    ['.example', undefined],
    ['other', undefined],
    ['', undefined],
  ])('%j is %s', (asked, name) => {
    expect(steeredBy(table, asked)?.name).toBe(name)
  })

  it('is the one of all hosts where nothing else matches', () => {
    const hosts = [...table.hosts, { name: 'rest', hosts: ['*'], routes: [] }]
    expect(steeredBy({ ...table, hosts }, 'other')?.name).toBe('rest')
    expect(steeredBy({ ...table, hosts }, 'web:1')?.name).toBe('web')
  })
})

describe('a stream whose client asks for hosts', () => {
  it('keeps 10,000 names up to date, and says of every other that it is not there', () => {
    const notes = new Notes(false)
    const stream = new XdsStream(notes, { refused: () => {}, settled: () => {} })
    stream.update(snapshotOf(1, { virtualHosts: { 'r/late': '1', 'r/one': '1' } }))
    const many = Array.from({ length: 9_999 }, (_, index) => `r/unknown-${index}`)
    stream.request(subscription('virtualHosts', { subscribe: [...many, 'r/one', 'r/late'] }))
    const [sent = ''] = notes.take()
    expect(sent).toContain(' r/one=1 ')
    expect(sent.endsWith(' -r/late')).toBe(true)
    expect(stream.states.virtualHosts.names.size).toBe(10_000)
  })
})
