/** Verdicts end: for commits that ask nothing of a data plane, and for data planes at another replica. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type ControlProcess, startControlProcess } from '../../kit/control-process.js'
import { listening, runEnvoy } from '../../kit/envoy.js'
import { startEtcd } from '../../kit/etcd.js'
import { freePort } from '../../kit/free-port.js'
import { endPrograms } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

interface Verdicts {
  verdicts: { node: string; state: string }[]
}

/** The last line of the stream of verdicts, when none is pending any more; fails at the bound. */
async function verdictsOn({ url, token }: ControlProcess, revision: number): Promise<Record<string, string>> {
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${url}/v1/verdicts/${revision}`, { headers, signal: AbortSignal.timeout(10_000) })
  const lines = (await response.text()).trim().split('\n')
  const { verdicts } = JSON.parse(lines.at(-1) ?? '') as Verdicts
  return Object.fromEntries(verdicts.map(({ node, state }) => [node, state]))
}

async function revisionOf({ url, token }: ControlProcess): Promise<number> {
  const response = await fetch(`${url}/v1/status`, { headers: { authorization: `Bearer ${token}` } })
  return ((await response.json()) as { revision: number }).revision
}

async function joinEnvoy({ weft, xds }: ControlProcess, node: string): Promise<void> {
  const [outbound, inbound] = [await freePort(), await freePort()]
  const doors = ['--outbound', outbound, '--inbound', inbound, '--app', 9].map((one) =>
    typeof one === 'number' ? `127.0.0.1:${one}` : one,
  )
  const args = ['--node', node, '--service', 'front', '--control', xds, ...doors]
  await runEnvoy((await weft('bootstrap', 'envoy', ...args)).stdout)
  await listening(outbound)
}

function writeYaml(yaml: string): string {
  const file = join(scratchFolder(), 'mesh.yaml')
  writeFileSync(file, yaml)
  return file
}

const route = (name: string, path: string) => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ group: '', kind: Service, name: app }]
  rules: [{ matches: [{ path: { ${path} } }], backendRefs: [{ name: app, port: 80 }] }]
`

/** For one data plane alone. */
const guard = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: guard }
spec: { selector: { matchLabels: { weft.io/node: at-two } }, action: DENY, rules: [{ to: [{ operation: { paths: [/x] } }] }] }
`

const service = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: app }
spec: { hosts: [app], ports: [{ number: 80, name: http }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }
`

describe('a verdict', () => {
  it('is there at once for a commit that changes nothing of the mesh, and for one that a data plane does not see', async () => {
    const control = await startControlProcess()
    await joinEnvoy(control, 'a')
    await control.weft('token', 'create', '--name', 'shop', '--role', 'viewer')
    const revision = await revisionOf(control)
    expect(await verdictsOn(control, revision)).toEqual({ a: 'applied' })
    const headers = { authorization: `Bearer ${control.token}` }
    const ahead = await fetch(`${control.url}/v1/verdicts/${revision + 1}`, { headers })
    expect([ahead.status, await ahead.json()]).toMatchObject([404, { hint: `the newest is ${revision}` }])
    const elsewhere = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow, namespace: elsewhere }
spec: { egress: [{ hosts: [./app] }] }
`
    const applied = await control.weft('apply', '-f', writeYaml(elsewhere))
    expect(applied).toMatchObject({ code: 0, stderr: 'applied on 1 of 1 data plane\n' })
    expect(await verdictsOn(control, revision)).toEqual({ a: 'applied' })
  })

  it('is told at one replica for the data planes of another, which are listed with it and gone with it', async () => {
    const etcd = await startEtcd()
    const replica = async (id: string) => {
      // Told to the other's clients, so it must be the one that it has.
      const listen = `127.0.0.1:${await freePort()}`
      return startControlProcess('--store', 'etcd', '--etcd', etcd.url, '--id', id, '--listen', listen)
    }
    const [one, two] = [await replica('one'), await replica('two')]
    const { token } = one
    const ask = (at: ControlProcess, ...args: string[]) => at.weft(...args, '--token', token)
    await joinEnvoy(one, 'at-one')
    await joinEnvoy(two, 'at-two')
    const status = async (at: ControlProcess) => (await ask(at, 'status')).stdout
    expect((await ask(one, 'apply', '-f', writeYaml(service))).code).toBe(0)
    const listed = [/at-one +envoy +default\/front +one +in step/, /at-two +envoy +default\/front +two +in step/]
    for (const at of [one, two])
      for (const line of listed) await expect.poll(() => status(at), { timeout: 20_000 }).toMatch(line)

    // The leader tells of the other's, and the follower of the leader's.
    for (const [index, at] of [one, two].entries()) {
      const applied = await ask(at, 'apply', '-f', writeYaml(route(`good-${index}`, 'value: /')))
      expect(applied).toMatchObject({ code: 0, stderr: expect.stringContaining('applied on 2 of 2 data planes\n') })
    }
    // What reaches a data plane is told at either replica, as it is where it is connected.
    expect((await ask(two, 'apply', '-f', writeYaml(guard))).code).toBe(0)
    for (const args of [['at-two'], ['httproute', 'good-0']]) {
      const [here, there] = [await ask(one, 'inspect', ...args), await ask(two, 'inspect', ...args)]
      expect(here).toMatchObject({ code: 0, stderr: '' })
      expect(here.stdout.split('\n').sort()).toEqual(there.stdout.split('\n').sort())
    }
    expect((await ask(one, 'inspect', 'at-two')).stdout).toMatch(
      /AuthorizationPolicy default\/guard +server +authorization/,
    )
    expect((await ask(one, 'inspect', 'at-one')).stdout).not.toContain('guard')
    const guarded = (await ask(one, 'inspect', 'authorizationpolicy', 'guard')).stdout
    expect(guarded).toMatch(/guard reaches 1 of 2 data planes\n.*\nat-two +default\/front/)
    const checked = JSON.parse((await ask(one, 'check', '--output', 'json')).stdout) as {
      id: string
      message: string
    }[]
    expect(checked.find(({ id }) => id === 'resources-reach-somebody')).toMatchObject({ level: 'ok' })

    const refused = await ask(one, 'apply', '-f', writeYaml(route('bad', "type: RegularExpression, value: '/bad['")))
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('applied on 0 of 2 data planes, 2 refused'),
    ])
    expect(refused.stderr).toContain('missing ]')
    await expect
      .poll(() => status(one), { timeout: 10_000 })
      .toMatch(/at-two .*: HTTPRoute\S+\/default\/bad .*missing \]/)

    await two.program.kill()
    await expect.poll(() => status(one), { timeout: 20_000 }).not.toContain('at-two')
    const mended = await ask(one, 'apply', '-f', writeYaml(route('bad', 'value: /good')))
    expect(mended).toMatchObject({ code: 0, stderr: expect.stringContaining('applied on 1 of 1 data plane\n') })
    const gone = await ask(one, 'inspect', 'at-two')
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('connected: at-one')])
  })
})
