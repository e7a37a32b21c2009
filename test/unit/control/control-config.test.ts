import { describe, expect, it } from 'vitest'
import { loadControlConfig } from '../../../src/control/config/control-config.js'

const load = (mesh: object) => loadControlConfig(null, { data: 'mesh', mesh })

describe('the providers in the configuration of weft control', () => {
  it('have defaults', async () => {
    const { mesh } = await load({
      extensionProviders: [
        { name: 'a', zipkin: { service: 'zipkin', port: 9411 } },
        { name: 'b', opentelemetry: { service: 'otlp', port: 4318, http: {} } },
        { name: 'c', envoyFileAccessLog: { path: '/dev/stdout' } },
        { name: 'd', envoyExtAuthzHttp: { service: 'authz', port: 1, statusOnError: '503' } },
        { name: 'e', envoyExtAuthzGrpc: { service: 'authz', port: 1, timeout: '0.5s' } },
      ],
    })
    expect(mesh).toMatchObject({
      extensionProviders: [
        { zipkin: { path: '/api/v2/spans' } },
        { opentelemetry: { http: { path: '/v1/traces' } } },
        { envoyFileAccessLog: { path: '/dev/stdout' } },
        { envoyExtAuthzHttp: { timeout: 600_000, failOpen: false, statusOnError: 503, pathPrefix: '' } },
        { envoyExtAuthzGrpc: { timeout: 500, statusOnError: 403, clearRouteCache: false } },
      ],
      defaultProviders: { accessLogging: [], tracing: [] },
      keyRefresh: 300_000,
    })
  })

  it.each([
    ['mesh.extensionProviders[0]', { name: 'a' }],
    [
      'mesh.extensionProviders[0]',
      { name: 'a', zipkin: { service: 'z', port: 1 }, opentelemetry: { service: 'o', port: 1 } },
    ],
    ['mesh.extensionProviders[0].zipkin.port', { name: 'a', zipkin: { service: 'z' } }],
    ['mesh.extensionProviders[0].envoyFileAccessLog.path', { name: 'a', envoyFileAccessLog: { path: 'here' } }],
    [
      'mesh.extensionProviders[0].envoyFileAccessLog.logFormat',
      { name: 'a', envoyFileAccessLog: { path: '/l', logFormat: {} } },
    ],
    ['mesh.extensionProviders[0].datadog', { name: 'a', datadog: {}, zipkin: { service: 'z', port: 1 } }],
    [
      'mesh.extensionProviders[0].envoyExtAuthzHttp.statusOnError',
      { name: 'a', envoyExtAuthzHttp: { service: 's', port: 1, statusOnError: 200 } },
    ],
    [
      'mesh.extensionProviders[0].envoyExtAuthzHttp.headersToUpstreamOnAllow[0]',
      { name: 'a', envoyExtAuthzHttp: { service: 's', port: 1, headersToUpstreamOnAllow: ['x y'] } },
    ],
    [
      'mesh.extensionProviders[0].envoyExtAuthzGrpc.pathPrefix',
      { name: 'a', envoyExtAuthzGrpc: { service: 's', port: 1, pathPrefix: '/' } },
    ],
    [
      'mesh.extensionProviders[0].envoyExtAuthzGrpc.includeRequestBodyInCheck.maxRequestBytes',
      { name: 'a', envoyExtAuthzGrpc: { service: 's', port: 1, includeRequestBodyInCheck: {} } },
    ],
  ])('are refused at %s', async (path, provider) => {
    await expect(load({ extensionProviders: [provider] })).rejects.toMatchObject({
      code: 'WEFT_CONFIG_INVALID',
      issues: [{ path }],
    })
  })

  it('may not be named twice', async () => {
    const zipkin = { name: 'a', zipkin: { service: 'z', port: 1 } }
    await expect(load({ extensionProviders: [zipkin, zipkin] })).rejects.toMatchObject({
      issues: [{ path: 'mesh.extensionProviders[1].name' }],
    })
  })
})
