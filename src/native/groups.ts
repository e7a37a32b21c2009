/** How the groups of a cluster share its requests, as the engine tells of them. Shares are percents. */

/** A cluster, or a subset of it. */
export interface Group {
  /** The labels of the subset; null: the whole cluster. */
  subset: string | null
  /** By priority, the first one first. */
  levels: GroupLevel[]
}

export interface GroupLevel {
  /** 0 comes first. */
  priority: number
  endpoints: number
  healthy: number
  /** Of the requests. */
  percent: number
  /** All of its endpoints are used, healthy or not. */
  panicked: boolean
  /** Empty where it makes no difference now where endpoints run. */
  zones: GroupZone[]
}

export interface GroupZone {
  region: string
  zone: string
  /** It is the proxy's own. */
  own: boolean
  endpoints: number
  healthy: number
  /** Of the priority's requests. */
  percent: number
}

/** A part of a cluster in which requests do not go where they would if all endpoints were healthy. */
export interface Shortage extends Group {
  cluster: string
}
