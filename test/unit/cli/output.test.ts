import { describe, expect, it } from 'vitest'
import { describeFailure } from '../../../src/cli/output.js'
import { WeftError } from '../../../src/errors.js'
import { startLine } from '../../../src/proxy/start-line.js'
import { createLogger } from '../../../src/telemetry/logger.js'

describe('what a person reads', () => {
  it('has one line per issue with file, line, path, reason and suggestion', () => {
    const issues = [
      {
        path: 'routes[0].timout',
        code: 'WEFT_CONFIG_UNKNOWN_KEY',
        message: '`timout` is not a known key',
        hint: 'did you mean `timeout`?',
        line: 12,
      },
      { path: '', code: 'WEFT_CONFIG_TYPE', message: 'expected an object, found a list', hint: null, line: null },
    ]
    const error = new WeftError('WEFT_CONFIG_INVALID', 'a.yaml has 2 issues', { issues })
    expect(describeFailure(error, 'a.yaml')).toBe(
      'error: a.yaml has 2 issues [WEFT_CONFIG_INVALID]\n' +
        '  a.yaml:12  routes[0].timout  `timout` is not a known key; did you mean `timeout`?  [WEFT_CONFIG_UNKNOWN_KEY]\n' +
        '  a.yaml  (root)  expected an object, found a list  [WEFT_CONFIG_TYPE]',
    )
  })

  it('starts with a line that says what runs', () => {
    const direction = 'gateway' as const
    const listeners = [
      { name: 'edge', direction, protocol: 'http', address: '127.0.0.1:8080', clusters: ['app', 'app'] },
      { name: 'idle', direction, protocol: 'http', address: '[::1]:81', clusters: [] },
    ]
    const clusters = [{ name: 'app', endpoints: ['127.0.0.1:9000'] }]
    expect(startLine('0.1.0', 123, { listeners, clusters })).toBe(
      'weft 0.1.0 ready in 123 ms: edge http 127.0.0.1:8080 → app (1 endpoint); idle http [::1]:81 → no route',
    )
  })

  it('is a log of text or of JSON', () => {
    const lines: string[] = []
    const options = { colour: false, write: (line: string) => void lines.push(line), now: () => new Date(0) }
    createLogger({ ...options, format: 'text' }).warn('slow', { worker: 0, reason: 'a "b"' })
    createLogger({ ...options, format: 'text' }).info('up')
    createLogger({ ...options, format: 'json' }).error('down', { worker: 1 })
    expect(lines).toEqual([
      'warn: slow worker=0 reason="a \\"b\\""\n',
      'up\n',
      '{"time":"1970-01-01T00:00:00.000Z","level":"error","message":"down","worker":1}\n',
    ])
  })
})
