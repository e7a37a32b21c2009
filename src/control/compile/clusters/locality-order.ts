/** In which order a client tries the endpoints of a cluster: by labels, then by place, as its DestinationRule says. */

import { regionLabel, zoneLabel } from '../../resources/kind.js'
import type { TrafficPolicyParts } from '../../resources/traffic-policy.js'

export interface LocalityOrder {
  /** In place of any order: which share of requests goes from where to where. */
  distribute: { from: string; to: Record<string, number> }[]
  /** Endpoints that match more of the first of them come before; without a value it is the client's. */
  labels: { key: string; value: string | null }[]
  /** Among those that match as many: null, all are equal. */
  byPlace: { zones: boolean; failover: { from: string; to: string }[] } | null
}

/** Where something stands, and its labels. */
export interface Placed {
  region: string
  zone: string
  labels: Readonly<Record<string, string>>
}

/** Null: all endpoints are equal. As in Istio, watching for outliers alone prefers endpoints nearby, too. */
export function localityOrder({ loadBalancer, outlierDetection }: TrafficPolicyParts): LocalityOrder | null {
  const zoneAware = loadBalancer?.zoneAwareLbSetting
  if (zoneAware !== undefined) return zoneAware.enabled ? byRegion(zoneAware) : null
  const setting = loadBalancer?.localityLbSetting
  if (setting === undefined) return outlierDetection === undefined ? null : nearby
  const { enabled, distribute, failover, failoverPriority } = setting
  if (!enabled) return null
  const labels = outlierDetection === undefined ? [] : failoverPriority.map(splitLabel)
  return { distribute, labels, byPlace: labels.length > 0 && failover.length === 0 ? null : { zones: true, failover } }
}

const nearby: LocalityOrder = { distribute: [], labels: [], byPlace: { zones: true, failover: [] } }

type ZoneAware = NonNullable<NonNullable<TrafficPolicyParts['loadBalancer']>['zoneAwareLbSetting']>

/** Zones of a region are left to Envoy. */
function byRegion({ failover, failoverPriority }: ZoneAware): LocalityOrder {
  return { distribute: [], labels: failoverPriority.map(splitLabel), byPlace: { zones: false, failover } }
}

function splitLabel(text: string): LocalityOrder['labels'][number] {
  const [key = '', value = null] = text.split('=')
  return { key, value }
}

/** What orders look at in a client. */
export interface Outlook {
  byPlace: boolean
  labels: readonly string[]
}

export function outlookOf(orders: readonly (LocalityOrder | null)[]): Outlook {
  const all = orders.filter((order) => order !== null)
  const keys = all.flatMap(({ labels }) => labels.flatMap(({ key, value }) => (value === null ? [key] : [])))
  return {
    byPlace: all.some(({ byPlace, distribute }) => byPlace !== null || distribute.length > 0),
    labels: [...new Set(keys)],
  }
}

/** Equal for clients that see the same. */
export function seenBy({ byPlace, labels }: Outlook, client: Placed): string {
  const own = labels.map((key) => labelOf(client, key))
  return JSON.stringify(byPlace ? [client.region, client.zone, ...own] : own)
}

/** 0 is tried first; numbers may be left out. */
export function priorityOf({ labels, byPlace }: LocalityOrder, client: Placed, endpoint: Placed): number {
  const missed = labels.findIndex(({ key, value }) => (value ?? labelOf(client, key)) !== labelOf(endpoint, key))
  const unmatched = missed === -1 ? 0 : labels.length - missed
  return unmatched * places + (byPlace === null ? 0 : distance(byPlace, client, endpoint))
}

/** How many distances there are. */
const places = 4

/** 0 in the same zone (or the same region, where zones do not count), 1 in the same region, 2 where the region fails over to, 3 elsewhere. */
function distance(
  { zones, failover }: NonNullable<LocalityOrder['byPlace']>,
  client: Placed,
  { region, zone }: Placed,
): number {
  if (client.region === '') return 0
  if (region === client.region) return zones && zone !== client.zone ? 1 : 0
  return failover.some(({ from, to }) => from === client.region && to === region) ? 2 : 3
}

/** A label that nobody gave is empty. */
function labelOf({ region, zone, labels }: Placed, key: string): string {
  const place = key === regionLabel ? region : key === zoneLabel ? zone : ''
  return place === '' ? (labels[key] ?? '') : place
}
