/** A mesh, its xDS server and one Envoy, as most tests of data planes need them. */
import { expect } from 'vitest'
import type { EnvoyPlane } from '../../src/control/bootstrap/envoy.js'
import type { MeshSource } from '../../src/control/state/mesh-source.js'
import { startXdsServer, type XdsServer, type XdsServerOptions } from '../../src/control/xds/server.js'
import { type Asked, ask, closeServices } from './counted-service.js'
import { type Envoy, listening, startEnvoy } from './envoy.js'
import { MemoryMesh } from './mesh-source.js'
import { endPrograms } from './program.js'

export interface SteeredMesh {
  mesh: MemoryMesh
  control: XdsServer
  envoy: Envoy
  /** Applies resources and waits for every data plane; anything but `applied` fails the test. */
  apply(yaml: string): Promise<void>
  /** Waits until every data plane has the present state. */
  inForce(): Promise<void>
  ask(host: string, path?: string, options?: Parameters<typeof ask>[3]): Promise<Asked>
  close(): Promise<void>
}

export interface SteeringOptions extends Partial<XdsServerOptions> {
  /** What the server reads in place of the mesh alone. */
  follow?: (mesh: MeshSource) => MeshSource
}

export async function steerMesh(
  plane: Partial<EnvoyPlane> = {},
  { follow = (mesh) => mesh, ...options }: SteeringOptions = {},
  envoyArguments: readonly string[] = [],
): Promise<SteeredMesh> {
  const mesh = new MemoryMesh()
  const control = await startXdsServer({ source: follow(mesh), address: '127.0.0.1:0', quietMs: 10, ...options })
  const envoy = await startEnvoy(control.port, plane, envoyArguments)
  if (plane.role !== 'gateway') await listening(envoy.outbound)
  const inForce = async () => {
    const verdicts = await control.settled(mesh.current().revision, 10_000)
    expect(verdicts.map(({ state, issues }) => ({ state, issues }))).toEqual(
      verdicts.map(() => ({ state: 'applied', issues: [] })),
    )
  }
  return {
    mesh,
    control,
    envoy,
    inForce,
    apply: (yaml) => {
      mesh.apply(yaml)
      return inForce()
    },
    ask: (host, path, request) => ask(envoy.outbound, host, path, request),
    async close() {
      await endPrograms()
      await control.close()
      await closeServices()
    },
  }
}
