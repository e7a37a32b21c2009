/** Tokens, logs and traces as a person sets them up: `weft control -c`, `weft apply`, what it says, what then happens. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startControlProcess } from '../../kit/control-process.js'
import { ask, CountedService, closeServices, tally } from '../../kit/counted-service.js'
import { listening, runEnvoy } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { endPrograms } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'
import { KeyServer, TokenIssuer } from '../../kit/token-issuer.js'

let keys: KeyServer | null = null
afterEach(async () => {
  await endPrograms()
  await closeServices()
  await keys?.close()
})

const resources = (issuer: string, jwksUri: string) => `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec:
  selector: { matchLabels: { app: reviews } }
  jwtRules:
    - issuer: ${issuer}
      jwksUri: ${jwksUri}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: admins }
spec:
  selector: { matchLabels: { app: reviews } }
  rules: [{ when: [{ key: 'request.auth.claims[groups]', values: [admins] }] }]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: logs }
spec: { accessLogging: [{ providers: [{ name: file }] }] }
`

describe('weft apply', () => {
  it('has tokens checked, calls allowed by what they say, and both logged', async () => {
    const app = await CountedService.start('app')
    const folder = scratchFolder()
    const [config, log, file] = [join(folder, 'control.yaml'), join(folder, 'access.log'), join(folder, 'mesh.yaml')]
    const labels = '{ code: "%RESPONSE_CODE%", why: "%RESPONSE_CODE_DETAILS%" }'
    writeFileSync(
      config,
      `data: ${folder}/data
mesh:
  keyRefresh: 1s
  extensionProviders: [{ name: file, envoyFileAccessLog: { path: ${log}, logFormat: { labels: ${labels} } } }]
`,
    )
    const control = await startControlProcess('-c', config, '--data', join(folder, 'data'))
    const { weft } = control
    const [inbound, outbound] = [await freePort(), await freePort()]
    const printed = await weft(
      ...['bootstrap', 'envoy', '--node', 'reviews-1', '--service', 'reviews', '--control', control.xds],
      ...['--outbound', `127.0.0.1:${outbound}`, '--inbound', `127.0.0.1:${inbound}`, '--app', `127.0.0.1:${app.port}`],
    )
    expect(printed.stderr).toBe('')
    await runEnvoy(printed.stdout)
    await listening(inbound)
    const issuer = await TokenIssuer.create('https://issuer.example')
    keys = await KeyServer.start('no keys')
    const apply = () => {
      writeFileSync(file, resources(issuer.url, keys?.url ?? ''))
      return weft('apply', '-f', file)
    }
    const refused = await apply()
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain(
      `the keys of https://issuer.example cannot be had from ${keys.url} (must be a JSON Web`,
    )
    expect(refused.stderr).toContain('mesh.yaml:7')
    await control.program.says(`no keys from ${keys.url}`)

    keys.answer.body = issuer.keySet
    await control.program.says(`${keys.url} gives keys again`)
    expect(await apply()).toMatchObject({ code: 0 })
    const call = async (token: string | null) => {
      const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
      return ask(inbound, 'reviews', '/', { headers: { ...headers, connection: 'close' } })
    }
    const [admin, user] = [await issuer.token({ groups: ['admins'] }), await issuer.token({ groups: ['users'] })]
    const signal = AbortSignal.timeout(10_000)
    while ((await call(admin)).status !== 200) signal.throwIfAborted()
    const before = app.requests
    expect(await tally(5, () => call(admin))).toEqual({ app: 5 })
    expect(await tally(5, () => call(user))).toEqual({ '403': 5 })
    expect(await tally(5, () => call(null))).toEqual({ '403': 5 })
    expect(await tally(5, () => call('no.token.this'))).toEqual({ '401': 5 })
    expect(app.requests - before).toBe(5)

    const logged = () => readFileSync(log, 'utf8').trim().split('\n').slice(-20)
    while (!logged().at(-1)?.includes('401')) {
      signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const codes = logged().map((line) => JSON.parse(line) as { code: number; why: string })
    expect(codes.map(({ code }) => code)).toEqual([200, 403, 403, 401].flatMap((code) => Array(5).fill(code)))
    expect(codes.at(-1)?.why).toMatch(/^jwt_authn_access_denied/)

    const reach = await weft('inspect', 'reviews-1')
    expect(reach.stdout).toMatch(/requestauthentication\S* .*tokens/i)
    expect(reach.stdout).toMatch(/telemetry\S* .*access log/i)
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'data/key-sets.json'), 'utf8')))).toEqual([keys.url])
  })

  it('refuses what does not work in a plain Envoy by name', async () => {
    const { weft } = await startControlProcess()
    const file = join(scratchFolder(), 'telemetry.yaml')
    writeFileSync(
      file,
      `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: all }
spec:
  metrics: [{ providers: [{ name: prometheus }] }]
`,
    )
    const refused = await weft('apply', '-f', file)
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('spec.metrics')
    expect(refused.stderr).toContain('/stats/prometheus')
  })
})
