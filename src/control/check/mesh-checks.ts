/** Whether workloads are heard of, data planes in step, and resources mean something. */
import { type Check, fail, some, warn } from './check.js'

/** Behind for longer is no longer on its way. */
const behindMs = 30_000

export const meshChecks: readonly Check[] = [
  {
    id: 'eviction-is-free',
    group: 'registry',
    about: 'eviction is not held back',
    look({ registry: { held } }) {
      if (held === null) return null
      const message = `${held.silent} workloads fell silent at once, of which ${held.allowed} may be evicted: all are kept`
      return warn(message, 'look at the network between workloads and control plane before you trust the list')
    },
  },
  {
    id: 'workloads-are-heard-of',
    group: 'registry',
    about: 'every workload is heard of in time',
    look({ registry: { stale, workloads } }) {
      if (stale === 0) return null
      return warn(
        `${stale} of ${workloads} workloads have not been heard of in time`,
        'weft get workloads shows which; they go when their time is over',
      )
    },
  },
  {
    id: 'services-can-answer',
    group: 'registry',
    about: 'every service has a workload that is well',
    look({ lonelyServices }) {
      if (lonelyServices.length === 0) return null
      return fail(
        `nobody answers for ${some(lonelyServices)}`,
        'weft get workloads; a workload that drains or fails its checks is not called',
      )
    },
  },
  {
    id: 'data-planes-are-connected',
    group: 'data planes',
    about: 'a data plane is connected',
    look({ dataPlanes }) {
      if (dataPlanes.length > 0) return null
      return warn('none is: resources are kept, and nobody follows them', 'weft bootstrap envoy, weft bootstrap grpc')
    },
  },
  {
    id: 'data-planes-are-in-step',
    group: 'data planes',
    about: 'every data plane has the newest configuration',
    look({ dataPlanes }) {
      const behind = dataPlanes.filter(({ staleMs }) => staleMs > behindMs)
      if (behind.length === 0) return null
      return fail(
        `${some(behind.map(({ node }) => node))} have not answered for what they were sent`,
        'weft status says since when; look at their logs',
      )
    },
  },
  {
    id: 'data-planes-refuse-nothing',
    group: 'data planes',
    about: 'no data plane has refused what it was sent',
    look({ dataPlanes }) {
      const [first] = dataPlanes.filter(({ lastRefusal }) => lastRefusal !== null)
      if (first?.lastRefusal == null) return null
      const { resource, message } = first.lastRefusal
      return fail(
        `${first.node} refused ${resource ?? 'something'}: ${message}`,
        'mend or roll back the resource; the last good one is in force there',
      )
    },
  },
  {
    id: 'node-ids-are-unique',
    group: 'data planes',
    about: 'no two data planes have one node id',
    look({ dataPlanes }) {
      const seen = new Set<string>()
      const twice = dataPlanes.filter(({ node }) => seen.size === seen.add(node).size).map(({ node }) => node)
      if (twice.length === 0) return null
      return warn(
        `${some([...new Set(twice)])} is the id of more than one`,
        'give each its own --node: status and inspect cannot tell them apart',
      )
    },
  },
  {
    id: 'resources-agree',
    group: 'resources',
    about: 'resources neither contradict nor shadow each other, and what they name is there',
    look({ notices }) {
      const [first] = notices
      if (first === undefined) return null
      const more = notices.length === 1 ? '' : ` (and ${notices.length - 1} more)`
      return warn(
        `${first.resource} ${first.path}: ${first.message}${more}`,
        first.hint ?? 'weft validate -f FILE lists them all',
      )
    },
  },
  {
    id: 'resources-reach-somebody',
    group: 'resources',
    about: 'every resource reaches a data plane',
    look({ resources, reached, dataPlanes }) {
      // Not every one may be known well enough to tell what reaches it.
      if (dataPlanes.length === 0 || dataPlanes.length > reached.length) return null
      const reaching = new Set(reached.flatMap((plane) => plane.resources.map(({ resource }) => resource)))
      const idle = resources.filter((name) => !reaching.has(name))
      if (idle.length === 0) return null
      return warn(
        `${some(idle)} reach no data plane that is connected`,
        'look at selectors and namespaces: weft inspect KIND NAME',
      )
    },
  },
  {
    id: 'resources-are-in-force',
    group: 'resources',
    about: 'what reaches a data plane is in force there as a whole',
    look({ reached }) {
      const noted = reached.flatMap(({ node, resources }) =>
        resources.flatMap(({ resource, notes }) => notes.map((note) => `${resource} on ${node}: ${note}`)),
      )
      const [first] = noted
      if (first === undefined) return null
      return warn(
        `${first}${noted.length > 1 ? ` (and ${noted.length - 1} more)` : ''}`,
        'weft inspect NODE lists them',
      )
    },
  },
]
