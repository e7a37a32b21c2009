/** Verdicts end: for commits that ask nothing of a data plane, and for data planes at another replica. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type ControlProcess, startControlProcess } from '../../kit/control-process.js'
import { listening, runEnvoy } from '../../kit/envoy.js'
import { endPrograms } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'
import { freePort } from '../../kit/weft-process.js'

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
  const outbound = await freePort()
  const args = ['--node', node, '--service', 'front', '--control', xds, '--outbound', `127.0.0.1:${outbound}`]
  await runEnvoy((await weft('bootstrap', 'envoy', ...args)).stdout)
  await listening(outbound)
}

function writeYaml(yaml: string): string {
  const file = join(scratchFolder(), 'mesh.yaml')
  writeFileSync(file, yaml)
  return file
}

describe('a verdict', () => {
  it('is there at once for a commit that changes nothing of the mesh, and for one that a data plane does not see', async () => {
    const control = await startControlProcess()
    await joinEnvoy(control, 'a')
    await control.weft('token', 'create', '--name', 'shop', '--role', 'viewer')
    const revision = await revisionOf(control)
    expect(await verdictsOn(control, revision)).toEqual({ a: 'applied' })
    const elsewhere = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow, namespace: elsewhere }
spec: { egress: [{ hosts: [./app] }] }
`
    const applied = await control.weft('apply', '-f', writeYaml(elsewhere))
    expect(applied).toMatchObject({ code: 0, stderr: 'applied on 1 of 1 data plane\n' })
    expect(await verdictsOn(control, revision)).toEqual({ a: 'applied' })
  })
})
