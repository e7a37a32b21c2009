// The shop as resources of a mesh, for `scripts/demo --with envoy`: kinds that people write for Gateway API and Istio.

const http = (name, hosts, routes) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name },
  spec: { hosts, http: routes },
})

const policy = (name, app, principal) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app } },
    rules: [{ from: [{ source: { principals: [`${trustDomain}/ns/default/sa/${principal}`] } }] }],
  },
})

const versions = ['v1', 'v2', 'v3']

export const trustDomain = 'shop.example'
/** Whose requests all go to the newest version. */
export const tester = 'user-7'

/** The share of each version of the reviews, in percent; the tester has the newest one whatever they are. */
export function canary(shares) {
  const route = versions.map((subset, at) => ({ destination: { host: 'reviews', subset }, weight: shares[at] }))
  const testers = {
    match: [{ headers: { 'end-user': { exact: tester } } }],
    route: [{ destination: { host: 'reviews', subset: 'v3' } }],
  }
  return [http('reviews', ['reviews'], [testers, { route: route.filter(({ weight }) => weight > 0) }])]
}

/** What stays as it is: the door, subsets, retries, mutual TLS for everybody, and who may call whom. */
export function mesh(door) {
  return [
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'edge' },
      spec: {
        gatewayClassName: 'weft',
        addresses: [{ value: '127.0.0.1' }],
        listeners: [{ name: 'http', port: door, protocol: 'HTTP' }],
      },
    },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: 'page' },
      spec: { parentRefs: [{ name: 'edge' }], rules: [{ backendRefs: [{ name: 'frontend', port: 80 }] }] },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { name: 'reviews' },
      spec: { host: 'reviews', subsets: versions.map((version) => ({ name: version, labels: { version } })) },
    },
    http(
      'ratings',
      ['ratings'],
      [
        {
          route: [{ destination: { host: 'ratings' } }],
          retries: { attempts: 3, perTryTimeout: '2s', retryOn: '5xx,connect-failure,reset' },
        },
      ],
    ),
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default' },
      spec: { mtls: { mode: 'STRICT' } },
    },
    policy('reviews-callers', 'reviews', 'frontend'),
    policy('ratings-callers', 'ratings', 'reviews'),
  ]
}
