import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../src/config/forms/address.js'
import { isLoopback } from '../../../src/config/forms/loopback.js'

describe('an address', () => {
  it('is an IP and a port', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 0, max: 65_535 }), (ip, port) => {
        const text = isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`
        expect(parseAddress(text)).toEqual({ ip, port })
      }),
    )
  })

  it.each([
    ['127.0.0.1:65536', 'the port must be between 0 and 65535'],
    ['127.0.0.1:123456', 'the port must be between 0 and 65535'],
    ['::1', 'write an IPv6 address with brackets and a port, such as [::1]:8080'],
    ['127.0.0.1', '"127.0.0.1" is not an address; write ip:port, such as 127.0.0.1:8080 or [::1]:8080'],
    [':80', 'name the interface: 0.0.0.0:80 listens on all of them'],
    ['*:80', 'name the interface: 0.0.0.0:80 listens on all of them'],
    ['localhost:80', 'names are not resolved: write 127.0.0.1:80'],
    ['256.0.0.1:80', '"256.0.0.1" is not an IPv4 address'],
    ['[127.0.0.1]:80', '"127.0.0.1" is not an IPv4 address'],
    [
      'app.internal:80',
      'names are not resolved: "app.internal" must be an IP address; endpoints behind a name are `discovery: { type: dns, name: app.internal, port: 80 }`',
    ],
  ])('%s is refused with a reason', (text, reason) => {
    expect(parseAddress(text)).toBe(reason)
  })

  it('is loopback in 127.0.0.0/8 and at ::1', () => {
    expect(['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', '0.0.0.0:1', '[::]:1', '10.0.0.1:1'].map(isLoopback)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ])
  })
})
