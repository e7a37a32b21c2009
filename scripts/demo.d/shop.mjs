// The shop as data: its services, whom each of them calls, and the configuration of each proxy.
import { fileURLToPath } from 'node:url'

const example = (name) => fileURLToPath(new URL(`../../test/examples/program/${name}`, import.meta.url))
const here = (name) => fileURLToPath(new URL(`shop/${name}`, import.meta.url))
const node = (file) => [process.execPath, here(file)]

/** Each runs beside a sidecar of its own. `calls` names services, not addresses. */
export const workloads = (detailsProgram) => [
  {
    name: 'frontend',
    service: 'frontend',
    version: 'v1',
    command: node('frontend.mjs'),
    calls: ['details', 'reviews'],
  },
  {
    name: 'frontend-b',
    service: 'frontend',
    version: 'v2',
    command: node('frontend.mjs'),
    calls: ['details', 'reviews'],
  },
  { name: 'details', service: 'details', version: 'v1', command: [detailsProgram], calls: [] },
  { name: 'reviews-v1', service: 'reviews', version: 'v1', command: node('reviews.mjs'), calls: [] },
  { name: 'reviews-v2', service: 'reviews', version: 'v2', command: node('reviews.mjs'), calls: ['ratings'] },
  { name: 'reviews-v3', service: 'reviews', version: 'v3', command: node('reviews.mjs'), calls: ['ratings'] },
  { name: 'ratings-1', service: 'ratings', version: 'v1', command: ['python3', here('ratings.py')], calls: [] },
  {
    name: 'ratings-2',
    service: 'ratings',
    version: 'v1',
    command: ['python3', here('ratings.py')],
    calls: [],
    env: { FAIL_EVERY: '2' },
  },
]

/** How a service is called: the routes and clusters that every caller of it has. `at` gives addresses by workload. */
const ways = {
  // Which of the two is chosen by the edge's filter.
  frontend: (at) => {
    const { route, clusters } = forward('frontend', [at('frontend')])
    return { route, clusters: [...clusters, cluster('frontend-b', [at('frontend-b')])] }
  },
  details: (at) => forward('details', [at('details')]),
  ratings: (at) => forward('ratings', [at('ratings-1'), at('ratings-2')]),
  // The canary: a user stays with a version, and moves only from a smaller share to a larger one.
  reviews: (at) => ({
    route: {
      name: 'reviews',
      forward: [
        { cluster: 'reviews-v1', weight: 60 },
        { cluster: 'reviews-v2', weight: 30 },
        { cluster: 'reviews-v3', weight: 10 },
      ],
      sticky: { header: 'end-user' },
      retry,
    },
    clusters: ['reviews-v1', 'reviews-v2', 'reviews-v3'].map((name) => cluster(name, [at(name)])),
  }),
}

const retry = {
  retries: 2,
  on: ['connect-failure', 'reset-before-request', 'retriable-status-codes'],
  statusCodes: [503],
  avoidPreviousEndpoints: true,
  backoff: { base: '5ms', max: '50ms' },
}

function forward(name, endpoints) {
  return { route: { name, forward: [{ cluster: name }], retry }, clusters: [cluster(name, endpoints)] }
}

function cluster(name, endpoints) {
  return { name, endpoints, loadBalancer: { policy: 'least-request' } }
}

/** The proxy beside a workload: `inbound` before it, `outbound` between it and whom it calls. */
export function sidecarConfig({ name, service, version, calls }, ports, at) {
  const { inbound, outbound, admin, app } = ports
  const out = calls.map((called) => ways[called](at))
  return {
    node: { id: name, service, version },
    admin: { address: local(admin) },
    listeners: [
      { name: 'inbound', address: local(inbound) },
      ...(calls.length > 0 ? [{ name: 'outbound', address: local(outbound), serviceHeader: 'x-weft-service' }] : []),
    ],
    routes: [
      { name: 'app', listeners: ['inbound'], forward: [{ cluster: 'self' }] },
      ...out.map(({ route }) => ({ ...route, listeners: ['outbound'], hosts: [route.name] })),
    ],
    clusters: [{ name: 'self', endpoints: [local(app)] }, ...out.flatMap(({ clusters }) => clusters)],
  }
}

/** A third of the users see the new frontend. */
const experiment = { experiment: 'frontend', header: 'end-user', percent: 33, cluster: 'frontend-b' }

/** The door of the shop: a filter in TypeScript divides the users, and whoever wants to may listen to what happens. */
export function edgeConfig({ inbound, admin }, at) {
  const { route, clusters } = ways.frontend(at)
  return {
    node: { id: 'edge', service: 'edge' },
    admin: { address: local(admin) },
    // Two, so that the feed crosses threads.
    workers: 2,
    listeners: [
      {
        name: 'door',
        address: local(inbound),
        filters: [{ module: example('ab-by-user.js'), options: experiment }],
        sockets: [{ path: '/live/*', module: example('live.js') }],
      },
    ],
    routes: [route],
    clusters,
  }
}

export function local(port) {
  return `127.0.0.1:${port}`
}
