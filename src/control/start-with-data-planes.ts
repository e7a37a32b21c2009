/** The control plane with the kinds that Weft knows and the xDS server that brings them to data planes. */
import { startDistribution } from './distribution.js'
import { type ControlOptions, type ControlPlane, startControl } from './start-control.js'
import { createMeshKinds } from './state/mesh-kinds.js'

export function startWithDataPlanes(
  options: Pick<ControlOptions, 'config' | 'version' | 'logger'>,
): Promise<ControlPlane> {
  const { config } = options
  return startControl({
    ...options,
    kinds: createMeshKinds(config.mesh),
    distribute: (source, parts) => startDistribution(config, source, parts),
  })
}
