import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ProxyConfig } from '../../../src/config/config.js'
import { configJsonSchema } from '../../../src/config/documents.js'
import { validate } from '../../../src/config/validate.js'

const minimal: ProxyConfig = {
  listeners: [{ name: 'edge', address: '127.0.0.1:8080' }],
  routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
  clusters: [{ name: 'app', endpoints: ['127.0.0.1:9000'] }],
}

/** `path code` of every issue. */
function issuesOf(written: unknown): string[] {
  return validate(written).issues.map(({ path, code }) => `${path} ${code}`)
}

describe('validation', () => {
  it('fills in every default', () => {
    const { config } = validate(minimal)
    expect(config).toMatchObject({
      admin: null,
      workers: null,
      drain: { deadline: 20_000 },
      records: { ring: 16_384, headers: [], redact: ['authorization', 'cookie'] },
      listeners: [
        {
          protocol: 'http',
          engine: 'auto',
          limits: {
            maxConnections: 10_000,
            maxHeaderBytes: 65_536,
            maxHeaders: 100,
            headersTimeout: 10_000,
            idleTimeout: 3_600_000,
            maxRequestsPerConnection: 0,
          },
          accessLog: null,
          abortOnClose: false,
        },
      ],
      routes: [
        { listeners: null, hosts: [], matches: [], timeout: 15_000, firstByteTimeout: 15_000, idleTimeout: 300_000 },
      ],
      clusters: [
        {
          protocol: 'http1',
          connectTimeout: 1_000,
          keepAlive: { idleTimeout: 'learned', maxRequestsPerConnection: 0 },
        },
      ],
    })
  })

  it('refuses a configuration without a listener', () => {
    expect(issuesOf({})).toEqual(['listeners WEFT_CONFIG_MISSING'])
    expect(issuesOf({ listeners: [] })).toEqual(['listeners WEFT_CONFIG_VALUE'])
  })

  it.each([null, 'text', 7, [], [minimal]])('refuses %j as a whole', (written) => {
    expect(issuesOf(written)).toEqual([' WEFT_CONFIG_TYPE'])
  })

  it('finds a name and an address that are taken', () => {
    const again = { ...minimal, listeners: [...minimal.listeners, ...minimal.listeners] }
    expect(issuesOf(again)).toEqual([
      'listeners[1].name WEFT_CONFIG_DUPLICATE',
      'listeners[1].address WEFT_CONFIG_DUPLICATE',
    ])
    expect(issuesOf({ ...minimal, admin: { address: '127.0.0.1:8080' } })).toEqual([
      'listeners[0].address WEFT_CONFIG_DUPLICATE',
    ])
  })

  it('lets several listeners ask for a free port', () => {
    const listeners = ['a', 'b'].map((name) => ({ name, address: '127.0.0.1:0' }))
    expect(issuesOf({ ...minimal, listeners })).toEqual([])
  })

  it('checks references although other parts are malformed', () => {
    const routes = [{ name: 'all', forward: [{ cluster: 'ap' }] }]
    expect(issuesOf({ ...minimal, routes, workers: 'many' })).toEqual([
      'workers WEFT_CONFIG_TYPE',
      'routes[0].forward[0].cluster WEFT_CONFIG_REFERENCE',
    ])
  })

  it('keeps `__proto__` and friends out', () => {
    const written = JSON.parse('{"__proto__": {"workers": 9}, "constructor": 1}') as object
    expect(issuesOf({ ...minimal, ...written })).toEqual([
      '__proto__ WEFT_CONFIG_UNKNOWN_KEY',
      'constructor WEFT_CONFIG_UNKNOWN_KEY',
    ])
    expect(({} as { workers?: number }).workers).toBeUndefined()
  })

  it('answers anything at all with issues and never throws', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 4 }), (written) => {
        const { config, issues } = validate(written)
        expect(config === null).toBe(issues.length > 0)
      }),
    )
  })

  it('does not change what was written', () => {
    const written = structuredClone(minimal)
    validate(written)
    expect(written).toEqual(minimal)
  })

  it('refuses by name every key that the schema marks as not working yet', () => {
    const later = Object.entries(configJsonSchema().properties?.routes?.items?.properties ?? {})
      .filter(([, schema]) => schema.not !== undefined)
      .map(([key]) => key)
    expect(later.length).toBeGreaterThan(0)
    for (const key of later) {
      const routes = minimal.routes?.map((route) => ({ ...route, [key]: {} }))
      expect(issuesOf({ ...minimal, routes })).toEqual([`routes[0].${key} WEFT_CONFIG_NOT_YET`])
    }
  })
})
