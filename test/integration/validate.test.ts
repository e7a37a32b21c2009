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
