import { afterEach, describe, expect, it } from 'vitest'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
afterEach(() => steered.close())

interface Line {
  path: string
  [field: string]: unknown
}

const policy = (name: string, spec: object, annotations: Record<string, string> = {}) =>
  `${JSON.stringify({ apiVersion: 'security.istio.io/v1', kind: 'AuthorizationPolicy', metadata: { name, annotations }, spec })}\n---\n`
const to = (operation: object) => [{ to: [{ operation }] }]
const tried = { 'istio.io/dry-run': 'true' }

/** A door that logs, with the JSON lines of the requests that came to it. */
async function loggingDoor() {
  const app = await CountedService.start('app')
  const mesh = { defaultProviders: { accessLogging: ['envoy'], tracing: [] } }
  steered = await steerMesh({ service: 'reviews', app: `127.0.0.1:${app.port}` }, { mesh })
  const { inbound, admin, program } = steered.envoy
  await listening(inbound)
  const call = (path: string, options: Parameters<typeof ask>[3] = {}) =>
    ask(inbound, 'reviews', path, { ...options, headers: { connection: 'close', ...options.headers } })
  const lines = () =>
    program.stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []))
  const lineOf = async (path: string): Promise<Line | undefined> => {
    await expect.poll(() => lines().some((line) => line.path === path)).toBe(true)
    return lines().find((line) => line.path === path)
  }
  const counted = async (name: string) => {
    const stats = await fetch(`http://127.0.0.1:${admin}/stats?filter=rbac`).then((answer) => answer.text())
    return Number(new RegExp(`^${name.replaceAll('.', '\\.')}: (\\d+)$`, 'm').exec(stats)?.[1])
  }
  return { app, call, lines, lineOf, counted }
}

describe('action AUDIT', () => {
  it('records what its rules match and decides nothing, beside policies that do', async () => {
    const { app, call, lineOf, counted } = await loggingDoor()
    await steered.apply(
      policy('record', {
        targetRef: { kind: 'Service', name: 'reviews' },
        action: 'AUDIT',
        rules: to({ paths: ['/seen*'] }),
      }) +
        policy('elsewhere', { targetRef: { kind: 'Service', name: 'ratings' }, action: 'AUDIT', rules: [{}] }) +
        policy('deny', { action: 'DENY', rules: to({ methods: ['DELETE'] }) }),
    )
    expect(await tally(4, () => call('/seen'))).toEqual({ app: 4 })
    expect(await tally(3, () => call('/unseen'))).toEqual({ app: 3 })
    expect((await call('/seen/denied', { method: 'DELETE' })).status).toBe(403)
    expect(app.requests).toBe(7)
    const name = 'AuthorizationPolicy default/record rules[0]'
    expect(await lineOf('/seen')).toMatchObject({ audit_policy: name, response_code: 200 })
    expect(await lineOf('/seen/denied')).toMatchObject({ audit_policy: name, response_code: 403 })
    expect(await lineOf('/unseen')).toMatchObject({ audit_policy: null })
    expect(await counted('http.inbound.rbac.denied')).toBe(1)
  })

  it('marks a request, so that a log can be of those alone', async () => {
    const expression = "metadata.filter_metadata['envoy.common']['access_log_hint'] == true"
    const { call, lines, lineOf } = await loggingDoor()
    const log = {
      ...{ apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry', metadata: { name: 'log' } },
      spec: { accessLogging: [{ providers: [{ name: 'envoy' }], filter: { expression } }] },
    }
    await steered.apply(
      `${JSON.stringify(log)}\n---\n${policy('record', { action: 'AUDIT', rules: to({ paths: ['/seen*'] }) })}`,
    )
    // A listener that was renewed takes the place of the old one a moment later.
    let count = 0
    await expect
      .poll(async () => {
        count += 1
        await call(`/probe-${count}`)
        await call(`/seen-probe-${count}`)
        await lineOf(`/seen-probe-${count}`)
        return lines().some(({ path }) => path === `/probe-${count}`)
      })
      .toBe(false)
    for (let index = 0; index < 5; index += 1) await call(`/unseen-${index}`)
    await call('/seen')
    await lineOf('/seen')
    expect(lines().filter(({ path }) => path.startsWith('/unseen'))).toEqual([])
  })
})

describe('the annotation istio.io/dry-run', () => {
  it('lets all pass and records what the policies would say, until it is taken away', async () => {
    const { app, call, lineOf, counted } = await loggingDoor()
    const deny = { action: 'DENY', rules: to({ paths: ['/denied*'] }) }
    const allow = { rules: to({ methods: ['GET'] }) }
    await steered.apply(policy('deny', deny, tried) + policy('allow', allow, tried))
    expect(await tally(3, () => call('/denied'))).toEqual({ app: 3 })
    expect(await tally(2, () => call('/posted', { method: 'POST' }))).toEqual({ app: 2 })
    expect(await tally(4, () => call('/fine'))).toEqual({ app: 4 })
    const name = 'AuthorizationPolicy default/deny rules[0]'
    expect(await lineOf('/denied')).toMatchObject({ dry_run_deny: 'denied', dry_run_deny_policy: name })
    expect(await lineOf('/posted')).toMatchObject({ dry_run_deny: 'allowed', dry_run_allow: 'denied' })
    expect(await lineOf('/fine')).toMatchObject({ dry_run_deny: 'allowed', dry_run_allow: 'allowed' })
    expect(await counted('http.inbound.rbac.dry_run_deny_.shadow_denied')).toBe(3)
    expect(await counted('http.inbound.rbac.dry_run_allow_.shadow_denied')).toBe(2)
    expect(app.requests).toBe(9)

    await steered.apply(policy('deny', deny) + policy('allow', allow))
    expect(await tally(3, () => call('/denied'))).toEqual({ '403': 3 })
    expect(await tally(2, () => call('/posted', { method: 'POST' }))).toEqual({ '403': 2 })
    expect(await tally(4, () => call('/fine'))).toEqual({ app: 4 })
    expect(app.requests).toBe(13)
  })
})
