/** What `weft validate` leaves to the engine. */
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { realAddon } from '../kit/faulty-threads.js'
import { WeftProcess, writeConfig } from '../kit/weft-process.js'

const config = `
listeners: [{ name: edge, address: 127.0.0.1:8080, limits: { maxConnections: 100 } }]
routes:
  - name: regexes
    matches:
      - path: { regex: '/(a|b' }
      - headers: [{ name: a, exact: x }, { name: b, regex: '(?=a)b' }]
      - query: [{ name: q, regex: '((a{100}){100}){100}' }]
    respond: {}
`

describe('a regex that the engine cannot compile', () => {
  it('is refused with its line, its path and the reason', async () => {
    const run = new WeftProcess(['validate', '-c', writeConfig(config), '--output', 'json'], { WEFT_ADDON: realAddon })
    expect(await run.ended).toBe(2)
    const { issues } = JSON.parse(run.stdout) as { issues: { line: number; path: string; message: string }[] }
    expect(issues.map(({ line, path, message }) => `${line} ${path}: ${message}`)).toEqual([
      '6 routes[0].matches[0].path.regex: the regex does not compile: unclosed group',
      '7 routes[0].matches[1].headers[1].regex: the regex does not compile: look-around, including look-ahead and look-behind, is not supported',
      '8 routes[0].matches[2].query[0].regex: the regex does not compile: needs more than 262144 bytes when compiled',
    ])
  })
})

const conditions = `
listeners: [{ name: edge, address: 127.0.0.1:8080 }]
routes:
  - { name: wrong-type, when: "request.size == '5'", respond: {} }
  - name: unknown-name
    hosts: [a]
    when: |
      request.method == 'GET' &&
        request.metod == 'GET'
    respond: {}
  - { name: no-cel, hosts: [b], when: "request.path = '/'", respond: {} }
  - { name: no-bool, hosts: [c], when: request.path, respond: {} }
  - { name: no-key, hosts: [d], sticky: { cel: "request.size > 1" }, forward: [{ cluster: app }] }
clusters:
  - name: app
    endpoints: [127.0.0.1:9080]
    circuitBreaker: { trip: { when: successRate + 1 < 80 } }
`

describe('a condition of the wrong type', () => {
  it('is refused with its line, its path, the column in the expression and what to do', async () => {
    const file = writeConfig(conditions)
    const run = new WeftProcess(['validate', '-c', file, '--output', 'json'], { WEFT_ADDON: realAddon })
    expect(await run.ended).toBe(2)
    const { issues } = JSON.parse(run.stdout) as { issues: { line: number; path: string; message: string }[] }
    expect(issues.map(({ line, path, message }) => `${line} ${path}: ${message}`)).toEqual([
      '17 clusters[0].circuitBreaker.trip.when: column 13: `+` does not take double and int; write double(…) around the int, or 2.0 instead of 2',
      '4 routes[0].when: column 14: `==` compares int with string; write int(…) around the string',
      expect.stringMatching(
        /^7 routes\[1\]\.when: line 2, column 10: there is no `request\.metod`; known: request\.method, /,
      ),
      expect.stringMatching(/^11 routes\[2\]\.when: column 14: cannot be read: .*; write `==` to compare$/),
      '12 routes[3].when: column 1: is of type string, wanted bool; compare it with something',
      '13 routes[4].sticky.cel: column 1: is of type bool, wanted string or int',
    ])
  })
})

describe('a module of a socket', () => {
  it('that is missing or no socket is refused before anything is served', async () => {
    const sockets = [
      { path: '/a', module: './missing.js' },
      { path: '/b', module: resolve('test/kit/sockets/no-socket.mjs') },
    ]
    const listeners = [{ name: 'edge', address: '127.0.0.1:8080', sockets }]
    const routes = [{ name: 'all', respond: {} }]
    const run = new WeftProcess(['validate', '-c', writeConfig({ listeners, routes }), '--output', 'json'])
    expect(await run.ended).toBe(2)
    const { issues } = JSON.parse(run.stdout) as { issues: { path: string; message: string }[] }
    expect(issues.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'listeners[0].sockets[0].module: there is no such file',
      expect.stringMatching(/^listeners\[0\]\.sockets\[1\]\.module: cannot serve: its default export is no socket/),
    ])
  })
})
