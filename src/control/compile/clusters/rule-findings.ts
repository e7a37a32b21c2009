/** What of a DestinationRule has no effect, because what it needs is not said beside it. */
import type { DestinationRuleSpec } from '../../resources/destination-rule.js'
import type { TrafficPolicy, TrafficPolicyParts } from '../../resources/traffic-policy.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Parsed } from '../mesh/parsed.js'

export function ruleFindings({ resource, spec }: Parsed<DestinationRuleSpec>): MeshFinding[] {
  return balancers(spec).flatMap(({ path, loadBalancer, outlierDetection }): MeshFinding[] => {
    const labels = loadBalancer?.localityLbSetting?.failoverPriority ?? []
    if (labels.length === 0 || outlierDetection !== undefined) return []
    const origin = originOf(resource, `${path}.loadBalancer.localityLbSetting.failoverPriority`)
    const message = 'failoverPriority has no effect without outlierDetection'
    const hint = 'add outlierDetection beside loadBalancer'
    return [{ severity: 'error', code: 'WEFT_MESH_NO_EFFECT', origin, message, hint }]
  })
}

type Balancer = Pick<TrafficPolicyParts, 'loadBalancer' | 'outlierDetection'> & { path: string }

/** Each place where a balancer is written, with what holds beside it there. */
function balancers({ trafficPolicy, subsets }: DestinationRuleSpec): Balancer[] {
  return [
    ...written(trafficPolicy, 'spec.trafficPolicy', undefined),
    ...subsets.flatMap((subset, index) =>
      written(subset.trafficPolicy, `spec.subsets[${index}].trafficPolicy`, trafficPolicy?.outlierDetection),
    ),
  ]
}

function written(
  policy: TrafficPolicy | undefined,
  path: string,
  inherited: TrafficPolicyParts['outlierDetection'],
): Balancer[] {
  if (policy === undefined) return []
  const { loadBalancer, outlierDetection = inherited, portLevelSettings } = policy
  return [
    { path, loadBalancer, outlierDetection },
    ...portLevelSettings.map((setting, index) => ({ ...setting, path: `${path}.portLevelSettings[${index}]` })),
  ]
}
