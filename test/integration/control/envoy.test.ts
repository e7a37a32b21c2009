/** The whole way as a person goes it: `weft control`, `weft bootstrap envoy`, `weft apply`, traffic, verdicts. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startControlProcess } from '../../kit/control-process.js'
import { CountedDoor, closeDoors, tallyCalls } from '../../kit/counted-door.js'
import { ask, CountedService, closeServices, tally } from '../../kit/counted-service.js'
import { listening, runEnvoy } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { endPrograms } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(async () => {
  await closeDoors()
  await endPrograms()
  await closeServices()
})

const split = (one: number, two: number, path = 'value: /') => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews-canary }
spec:
  parentRefs: [{ group: '', kind: Service, name: reviews }]
  rules:
    - matches: [{ path: { ${path} } }]
      backendRefs: [{ name: reviews-v1, port: 80, weight: ${one} }, { name: reviews-v2, port: 80, weight: ${two} }]
`

describe('one command', () => {
  it('steers a real Envoy, waits for it, and says what it refused and where that stands', async () => {
    const [one, two] = [await CountedService.start('one'), await CountedService.start('two')]
    const control = await startControlProcess()
    const { weft, xds } = control
    const outbound = await freePort()
    const bootstrap = ['bootstrap', 'envoy', '--node', 'page-1', '--service', 'productpage', '--control', xds]
    const printed = await weft(...bootstrap, '--outbound', `127.0.0.1:${outbound}`)
    expect(printed.code).toBe(0)
    await runEnvoy(printed.stdout)
    for (const [service, port] of [
      ['reviews', one.port],
      ['reviews-v1', one.port],
      ['reviews-v2', two.port],
    ] as const) {
      const headers = { authorization: `Bearer ${control.token}` }
      const body = JSON.stringify({ service, port })
      expect((await fetch(`${control.url}/v1/workloads`, { method: 'POST', headers, body })).status).toBe(201)
    }
    await listening(outbound)
    const file = join(scratchFolder(), 'canary.yaml')
    const apply = (yaml: string) => {
      writeFileSync(file, yaml)
      return weft('apply', '-f', file)
    }
    const counted = () => tally(20, () => ask(outbound, 'reviews'))

    expect(await apply(split(1, 0))).toMatchObject({ code: 0, stderr: 'applied on 1 of 1 data plane\n' })
    expect(await counted()).toEqual({ one: 20 })
    expect(await apply(split(0, 1))).toMatchObject({ code: 0, stderr: 'applied on 1 of 1 data plane\n' })
    expect(await counted()).toEqual({ two: 20 })

    const reach = await weft('inspect', 'httproute', 'reviews-canary')
    expect(reach.stdout).toContain('httproute reviews-canary reaches 1 of 1 data plane\n')
    expect(reach.stdout).toMatch(/page-1 +default\/productpage +client +routes of reviews\n/)
    expect((await weft('inspect', 'page-1')).stdout).toMatch(
      /HTTPRoute default\/reviews-canary +client +routes of reviews\n/,
    )
    const healthy = await weft('check')
    expect([healthy.code, healthy.stdout]).toEqual([0, expect.stringMatching(/30 checks: 0 errors, 0 warnings\n$/)])
    const nobody = await weft('inspect', 'page-2')
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('connected: page-1')])

    const refused = await apply(split(1, 0, "type: RegularExpression, value: '/bad['"))
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('applied on 0 of 1 data plane, 1 refused\n')
    expect(refused.stderr).toMatch(new RegExp(`  page-1 refused ${file}:7  spec\\.rules\\[0\\]  .*missing \\]`))
    expect(await counted()).toEqual({ two: 20 })
    expect((await weft('status')).stdout).toMatch(/page-1 +envoy +default\/productpage +in step .*missing \]/)

    const sick = await weft('check', '--output', 'json')
    const errors = (JSON.parse(sick.stdout) as { id: string; level: string }[]).filter(({ level }) => level === 'error')
    expect([sick.code, errors.map(({ id }) => id)]).toEqual([1, ['data-planes-refuse-nothing']])

    expect(await weft('rollback', 'httproute', 'reviews-canary')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('applied on 1 of 1 data plane\n'),
    })
    expect(await counted()).toEqual({ two: 20 })
    expect((await weft('status')).stdout).toMatch(/page-1 +envoy +default\/productpage +in step/)
  })

  it('steers the connections of a gateway, and tells of them as of requests', async () => {
    const [one, two] = [await CountedDoor.start('one'), await CountedDoor.start('two')]
    const control = await startControlProcess()
    const { weft, xds } = control
    const port = await freePort()
    const bootstrap = ['bootstrap', 'envoy', '--node', 'edge-1', '--service', 'edge', '--gateway']
    const printed = await weft(...bootstrap, '--control', xds)
    expect([printed.code, printed.stderr]).toEqual([0, ''])
    await runEnvoy(printed.stdout)
    for (const [service, door] of Object.entries({ one, two })) {
      const headers = { authorization: `Bearer ${control.token}` }
      const body = JSON.stringify({ service, port: door.port })
      expect((await fetch(`${control.url}/v1/workloads`, { method: 'POST', headers, body })).status).toBe(201)
    }
    const file = join(scratchFolder(), 'edge.yaml')
    const write = (listeners: string, to: string, name = 'database') =>
      writeFileSync(
        file,
        `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, addresses: [{ value: 127.0.0.1 }], listeners: [${listeners}] }
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: ${to}, port: 1 }] }] }
`,
      )
    const tcp = `{ name: tcp, port: ${port}, protocol: TCP }`
    write(tcp, 'one')
    expect(await weft('diff', '-f', file)).toMatchObject({ stdout: expect.stringContaining('kind: TCPRoute') })
    expect(await weft('apply', '-f', file)).toMatchObject({
      code: 0,
      stdout: 'Gateway default/edge created\nTCPRoute default/database created\n',
      stderr: 'applied on 1 of 1 data plane\n',
    })
    await listening(port)
    expect(await tallyCalls(10, port)).toEqual({ one: 10 })
    write(tcp, 'two')
    expect(await weft('apply', '-f', file)).toMatchObject({ code: 0, stderr: 'applied on 1 of 1 data plane\n' })
    expect(await tallyCalls(10, port)).toEqual({ two: 10 })

    expect((await weft('get', 'tcproutes')).stdout).toMatch(/^TCPRoute +default +database +/m)
    expect((await weft('describe', 'TCPRoute', 'database')).stdout).toContain('- name: two\n')
    expect((await weft('inspect', 'tcproute', 'database')).stdout).toMatch(
      new RegExp(`edge-1 +default/edge +server +connections of 127\\.0\\.0\\.1:${port}\n`),
    )
    expect((await weft('status')).stdout).toMatch(/edge-1 +envoy +default\/edge +in step/)
    expect((await weft('check')).stdout).toMatch(/0 errors, 0 warnings\n$/)

    // The older route holds; the younger is said to have no effect, with its place.
    write(tcp, 'one', 'younger')
    const conflict = await weft('apply', '-f', file)
    expect(conflict.stderr).toContain(`what comes to 127.0.0.1:${port} goes to TCPRoute default/database`)
    expect(conflict.stderr).toMatch(new RegExp(`${file}:9 +spec\\.parentRefs\\[0\\]`))
    expect(await tallyCalls(10, port)).toEqual({ two: 10 })
  })
})
