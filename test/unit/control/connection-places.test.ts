import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placesOf } from '../../../src/control/compile/gateways/connection-places.js'
import { claimKey, type NameClaim } from '../../../src/control/compile/gateways/server-names.js'
import type { ConnectionPlace } from '../../../src/control/compile/nouns.js'
import { includesHost } from '../../../src/control/resources/kind.js'
import { formatSubnet, includesSubnet, parseSubnet, type Subnet } from '../../../src/control/resources/subnet.js'

const read = (text: string): Subnet => {
  const subnet = parseSubnet(text)
  if (subnet === null) throw new Error(`${text} is no range`)
  return subnet
}

describe('a range of addresses', () => {
  it('has one text, whichever of its addresses it is written with', () => {
    const canonical = (text: string) => formatSubnet(read(text))
    expect(canonical('10.1.2.3/8')).toBe('10.0.0.0/8')
    expect(canonical('192.0.2.7')).toBe('192.0.2.7/32')
    expect(canonical('255.255.255.255/0')).toBe('0.0.0.0/0')
    expect(canonical('2001:DB8:0:0::1/32')).toBe('2001:db8::/32')
    expect(canonical('::ffff:192.0.2.1')).toBe('::ffff:c000:201/128')
    expect(canonical('::')).toBe('::/128')
    expect(canonical('1:2:3:4:5:6:7:8/127')).toBe('1:2:3:4:5:6:7:8/127')
  })

  it.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    'a',
    '',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '[::1]',
    '::1%lo',
  ])('is not %j', (text) => expect(parseSubnet(text)).toBeNull())

  it('includes what lies in it, of its own family only', () => {
    expect(includesSubnet(read('10.0.0.0/8'), read('10.255.0.1'))).toBe(true)
    expect(includesSubnet(read('10.0.0.0/8'), read('11.0.0.1'))).toBe(false)
    expect(includesSubnet(read('10.0.0.0/8'), read('10.0.0.0/7'))).toBe(false)
    expect(includesSubnet(read('0.0.0.0/0'), read('::1'))).toBe(false)
    expect(includesSubnet(read('::/0'), read('::1'))).toBe(true)
  })
})

const width = (text: string | null) => (text === null ? -1 : read(text).length)
const nameWidth = (name: string) => (name === '*' ? 0 : name.startsWith('*.') ? name.length : 256)
const holds = (range: string | null | undefined, address: string) =>
  range === null || range === undefined || includesSubnet(read(range), read(address))

interface Connection {
  to: string
  name: string
  from: string
}

/** As Envoy's documentation has it: step by step, the narrowest that there is, and never back. */
function chainOf(places: ConnectionPlace[][], { to, name, from }: Connection): number | null {
  const flat = places.flatMap((list, owner) =>
    list.flatMap(({ serverNames, ...at }) =>
      (serverNames.length === 0 ? ['*'] : serverNames).map((one) => ({ ...at, name: one, owner })),
    ),
  )
  const step = (list: typeof flat, fits: (one: (typeof flat)[number]) => boolean, rank: typeof nameOf) => {
    const fitting = list.filter(fits)
    const best = Math.max(...fitting.map(rank))
    return fitting.filter((one) => rank(one) === best)
  }
  const nameOf = (one: (typeof flat)[number]) => nameWidth(one.name)
  const there = step(
    flat,
    (one) => holds(one.destination, to),
    ({ destination }) => width(destination),
  )
  const asked = step(there, (one) => includesHost(one.name, name), nameOf)
  const left = step(
    asked,
    (one) => holds(one.source, from),
    ({ source }) => width(source),
  )
  expect(left.length).toBeLessThan(2)
  return left[0]?.owner ?? null
}

function expected(claims: NameClaim[][], { to, name, from }: Connection): number | null {
  const fitting = claims
    .flatMap((list, owner) => list.map((claim) => ({ ...claim, owner })))
    .filter((one) => holds(one.destination, to) && includesHost(one.name, name) && holds(one.source, from))
    .sort(
      (a, b) =>
        width(b.destination ?? null) - width(a.destination ?? null) ||
        nameWidth(b.name) - nameWidth(a.name) ||
        width(b.source ?? null) - width(a.source ?? null),
    )
  return fitting[0]?.owner ?? null
}

it('finds each connection its narrowest place, though Envoy never goes back', () => {
  const range = fc.option(fc.constantFrom('10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '192.168.0.0/16'), {
    nil: undefined,
  })
  const claim = fc.record({
    name: fc.constantFrom('a.b.example', '*.b.example', '*.example', 'c.example', '*'),
    ...{ destination: range, source: range },
  })
  const address = fc.constantFrom('10.1.2.3', '10.1.9.9', '10.9.9.9', '192.168.1.1', '203.0.113.1')
  const connection = fc.record({
    ...{ to: address, from: address },
    name: fc.constantFrom('a.b.example', 'x.b.example', 'y.example', 'c.example', 'elsewhere.test'),
  })
  fc.assert(
    fc.property(fc.uniqueArray(claim, { maxLength: 8, selector: keyOf }), fc.array(connection), (list, connections) => {
      const claims = list.map((one) => [written(one)])
      const places = placesOf(claims) ?? claims.map(([one]) => [plain(one)])
      for (const one of connections) expect(chainOf(places, one)).toBe(expected(claims, one))
    }),
  )
})

type Claimed = { name: string; destination: string | undefined; source: string | undefined }

function written({ name, destination, source }: Claimed): NameClaim {
  const addresses = {
    ...(destination === undefined ? {} : { destination }),
    ...(source === undefined ? {} : { source }),
  }
  return { name, ...addresses, path: '' }
}

function keyOf(claim: Claimed): string {
  return claimKey(written(claim))
}

function plain(claim: NameClaim | undefined): ConnectionPlace {
  const name = claim?.name ?? '*'
  return { serverNames: name === '*' ? [] : [name], destination: null, source: null }
}
