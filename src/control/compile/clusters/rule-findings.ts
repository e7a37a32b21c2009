/** What of a DestinationRule has no effect, because what it needs is not said beside it. */
import type { DestinationRuleSpec } from '../../resources/destination-rule.js'
import type { TrafficPolicy, TrafficPolicyParts } from '../../resources/traffic-policy.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { Parsed } from '../mesh/parsed.js'
import type { ServiceDefinition } from '../mesh/services.js'
import type { Cluster } from '../nouns.js'

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

/** What the cluster has no use for, as the service is. */
export function withoutEffect(
  { protocol, discovery }: Cluster,
  { key, ports }: ServiceDefinition,
  { rule, parts }: { rule: Parsed<DestinationRuleSpec>; parts: TrafficPolicyParts },
): MeshFinding[] {
  const { connectionPool, loadBalancer } = parts
  const finding = (what: string, why: string, hint: string | null): MeshFinding => ({
    ...{ severity: 'error', code: 'WEFT_MESH_NO_EFFECT', origin: originOf(rule.resource, 'spec.trafficPolicy') },
    ...{ message: `${what} has no effect: ${key} ${why}`, hint },
  })
  // Where another port speaks HTTP/2, the rule means that one.
  const isHttp1 = protocol === 'http1' && ports.every((port) => port.protocol !== 'http2')
  const pings = connectionPool?.http.http2KeepAlive !== undefined && isHttp1
  const settings = (['localityLbSetting', 'zoneAwareLbSetting'] as const).filter(
    (name) => loadBalancer?.[name]?.enabled === true && discovery.type === 'dns',
  )
  return [
    ...(pings
      ? [
          finding(
            'http2KeepAlive',
            'is called with HTTP/1.1',
            'set h2UpgradePolicy UPGRADE, or name the port http2 or grpc',
          ),
        ]
      : []),
    ...settings.map((name) => finding(name, 'is resolved by the data planes, which do not know where it is', null)),
  ]
}
