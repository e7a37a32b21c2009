// Generated from the structs in native/engine/src/snapshot by `npm run generate`; do not edit.
export type Snapshot = { 
/**
 * [`FORMAT`].
 */
format: number, 
/**
 * Who this proxy is.
 */
node: Node, 
/**
 * What the decision record keeps.
 */
records: Records, 
/**
 * Whether traces are continued and begun; none: their lines pass untouched.
 */
tracing: Tracing | null, 
/**
 * Longest time a drain waits for open exchanges, ms.
 */
drainDeadlineMs: number, 
/**
 * Sockets that accept connections.
 */
listeners: Array<Listener>, 
/**
 * Where requests go; their order decides between routes that are equally specific.
 */
routes: Array<Route>, 
/**
 * Groups of endpoints.
 */
clusters: Array<Cluster>, };
export type Node = { 
/**
 * Unique name.
 */
id: string, 
/**
 * Service it stands beside.
 */
service: string, 
/**
 * Version of that service.
 */
version: string, 
/**
 * Region of the node.
 */
region: string, 
/**
 * Zone of the node.
 */
zone: string, };
export type Records = { 
/**
 * Records kept per worker.
 */
ring: number, 
/**
 * Request headers kept, lower case.
 */
headers: Array<string>, 
/**
 * Headers whose value is never kept, lower case.
 */
redact: Array<string>, };
export type Listener = { 
/**
 * Unique name.
 */
name: string, 
/**
 * `ip:port`, `[v6]:port`, `unix:/path`, `unix:@name`; port 0 takes a free one. `memory` for requests from within the
 * process.
 */
address: string, 
/**
 * Requests come through a door of TypeScript's: the engine keeps the address and accepts nothing.
 */
door: boolean, 
/**
 * Paths whose WebSockets the door serves itself: `/exact`, or `/prefix/*` for whatever begins so.
 */
sockets: Array<string>, 
/**
 * Header whose value is matched instead of the Host, lower case.
 */
serviceHeader: string | null, 
/**
 * Bounds per listener, connection and head.
 */
limits: ListenerLimits, 
/**
 * Whose requests come in here.
 */
direction: Direction, 
/**
 * Where and how exchanges are logged.
 */
accessLog: AccessLog | null, 
/**
 * A client that closes its sending side gives up its request.
 */
abortOnClose: boolean, 
/**
 * Proxies before this listener whose `x-forwarded-for` and `x-forwarded-proto` are believed.
 */
trustedHops: number, 
/**
 * Permissions of a unix socket; none: as the process's mask has it.
 */
socketMode: number | null, 
/**
 * In the order in which requests meet them.
 */
filters: Array<Filter>, 
/**
 * What callers may say of the way of their own requests.
 */
overrides: Overrides, 
/**
 * When requests are shed; none: never.
 */
overload: Overload | null, };
export type ListenerLimits = { 
/**
 * Connections open at once, over all workers.
 */
maxConnections: number, 
/**
 * Bytes of one request head.
 */
maxHeaderBytes: number, 
/**
 * Header lines of one request.
 */
maxHeaders: number, 
/**
 * From the first byte of a head to its last, ms.
 */
headersTimeoutMs: number, 
/**
 * Between two requests of a connection, ms.
 */
idleTimeoutMs: number, 
/**
 * Requests after which a connection is closed; 0: no bound.
 */
maxRequestsPerConnection: number, 
/**
 * Bytes of one request's body; 0: no bound.
 */
maxRequestBytes: number, };
export type Overload = { 
/**
 * Memory of the process.
 */
memory: MemoryBound | null, 
/**
 * Lag of a worker's event loop, ms.
 */
eventLoopLagMs: number | null, 
/**
 * Share of its processors that the process uses, in percent.
 */
cpuPercent: number | null, 
/**
 * Who says how important a request is; none: all are alike.
 */
criticality: Criticality | null, };
export type MemoryBound = { 
/**
 * KiB that the process may hold; none: what its cgroup or the machine has.
 */
limitKib: number | null, 
/**
 * Share of them from which on requests are shed, in percent.
 */
shedAtPercent: number, };
export type Criticality = { 
/**
 * Header that says it, lower case.
 */
header: string, 
/**
 * Its values, the most important one first.
 */
order: Array<string>, };
export type AccessLog = { 
/**
 * File, appended to.
 */
path: string, 
/**
 * `text`, `json` or a format string.
 */
format: string, };
export type Direction = "inbound" | "outbound" | "gateway";
export type Route = { 
/**
 * Unique name.
 */
name: string, 
/**
 * Indexes of the listeners it serves.
 */
listeners: Array<number>, 
/**
 * Lower case: `name`, `*.suffix` or `*`; empty: every host.
 */
hosts: Array<string>, 
/**
 * It takes a request that fits one of these; empty: every request.
 */
matches: Array<RouteMatch>, 
/**
 * A condition in CEL that must hold besides; none: no more is asked.
 */
when: string | null, 
/**
 * What becomes of the request.
 */
action: RouteAction, 
/**
 * Another path or host for the endpoint.
 */
rewrite: Rewrite | null, 
/**
 * Lines changed on the way to the endpoint.
 */
requestHeaders: HeaderChanges | null, 
/**
 * Lines changed on the way to the client.
 */
responseHeaders: HeaderChanges | null, 
/**
 * What is answered when forwarding failed.
 */
fallback: Fallback | null, 
/**
 * Whole exchange from the request's last byte to the answer's head, ms; 0: no bound.
 */
timeoutMs: number, 
/**
 * From the request's last byte to the answer's first, ms; 0: no bound.
 */
firstByteTimeoutMs: number, 
/**
 * Without a byte in either direction, ms; 0: no bound.
 */
idleTimeoutMs: number, 
/**
 * What is tried again.
 */
retry: Retry | null, 
/**
 * In the order in which requests meet them.
 */
filters: Array<Filter>, 
/**
 * What goes wrong with its requests on purpose.
 */
fault: Fault | null, 
/**
 * Where copies of its requests go.
 */
mirrors: Array<Mirror>, 
/**
 * It takes requests of this lane only, before routes without one; none: requests of every lane and of none.
 */
lane: string | null, };
export type Retry = { 
/**
 * Attempts after the first one.
 */
retries: number, 
/**
 * What is retried.
 */
on: Array<RetryOn>, 
/**
 * Statuses of an answer that `retriable-status-codes` means.
 */
statusCodes: Array<number>, 
/**
 * Of an answer's header lines; `retriable-headers` means an answer that passes one of them.
 */
retriableHeaders: Array<FieldMatch>, 
/**
 * An answer that asks for a wait gets it, if that is no longer than this, ms; none: what it asks is not read.
 */
retryAfterMaxMs: number | null, 
/**
 * Longest time of one attempt, ms; 0: no bound of its own.
 */
perTryTimeoutMs: number, 
/**
 * The wait before the first retry is random below this, ms.
 */
backoffBaseMs: number, 
/**
 * No wait is longer, ms.
 */
backoffMaxMs: number, 
/**
 * Another endpoint is preferred to one that was tried.
 */
avoidPreviousEndpoints: boolean, 
/**
 * A longer body is not kept, and so not sent again, bytes.
 */
maxBodyBytes: number, };
export type RetryOn = "5xx" | "gateway-error" | "reset" | "reset-before-request" | "connect-failure" | "envoy-ratelimited" | "retriable-4xx" | "refused-stream" | "retriable-status-codes" | "retriable-headers" | "cancelled" | "deadline-exceeded" | "internal" | "resource-exhausted" | "unavailable";
export type RouteMatch = { 
/**
 * Of the normalised path.
 */
path: PathMatch, 
/**
 * Case-sensitive (RFC 9110 9.1); none: any.
 */
method: string | null, 
/**
 * Of header lines; names in lower case.
 */
headers: Array<FieldMatch>, 
/**
 * Of the query's parameters.
 */
query: Array<FieldMatch>, };
export type PathMatch = { "exact": string } | { "prefix": string } | { "regex": string };
export type FieldMatch = { 
/**
 * Of the header or the parameter.
 */
name: string, 
/**
 * Of its value.
 */
test: ValueTest, };
export type ValueTest = { "exact": string } | { "prefix": string } | { "suffix": string } | { "regex": string } | "present" | "absent";
export type RouteAction = { "forward": Forward } | { "redirect": Redirect } | { "respond": Respond };
export type Forward = { 
/**
 * At least one.
 */
targets: Array<ForwardTarget>, 
/**
 * Requests that agree in this go to the same target; none: by chance.
 */
sticky: StickyKey | null, };
export type ForwardTarget = { 
/**
 * Index of the cluster.
 */
cluster: number, 
/**
 * Share among the targets, at least 1.
 */
weight: number, 
/**
 * Only endpoints with these labels; none: all.
 */
subset: { [key in string]: string } | null, };
export type StickyKey = { "header": string } | { "cookie": CookieKey } | { "query": string } | "clientAddress" | { "cel": string };
export type CookieKey = { 
/**
 * Its name.
 */
name: string, 
/**
 * A request without it is given one for so long, s; 0: until the browser ends. None: it is left to chance.
 */
ttlS: number | null, 
/**
 * Of the URLs that a cookie is given for.
 */
path: string, };
export type Redirect = { 
/**
 * 301, 302, 303, 307 or 308.
 */
status: number, 
/**
 * `http` or `https`.
 */
scheme: string | null, 
/**
 * Without a port.
 */
host: string | null, 
/**
 * None: the scheme's own when the scheme changes, else the one asked for.
 */
port: number | null, 
/**
 * The query always stays.
 */
path: PathChange | null, };
export type Respond = { 
/**
 * 200 to 599.
 */
status: number, 
/**
 * Its lines, without those of the framing.
 */
headers: Array<HeaderLine>, 
/**
 * Its body.
 */
body: string, };
export type Rewrite = { 
/**
 * The query always stays.
 */
path: PathChange | null, 
/**
 * The whole authority, with a port where one is wanted.
 */
host: string | null, };
export type PathChange = { "full": string } | { "prefix": string };
export type HeaderChanges = { 
/**
 * In place of every line of that name.
 */
set: Array<HeaderLine>, 
/**
 * Beside the lines of that name.
 */
add: Array<HeaderLine>, 
/**
 * Every line of these names goes.
 */
remove: Array<string>, };
export type HeaderLine = { 
/**
 * Its name.
 */
name: string, 
/**
 * Its value.
 */
value: string, };
export type Fallback = { 
/**
 * For these failures.
 */
on: Array<FallbackCause>, 
/**
 * This.
 */
respond: Respond, };
export type FallbackCause = "no-healthy-upstream" | "overflow" | "timeout" | "connect-failure" | "reset";
export type Fault = { 
/**
 * They wait.
 */
delay: FaultDelay | null, 
/**
 * They are answered without the service, after the wait.
 */
abort: FaultAbort | null, 
/**
 * Their answers come slowly.
 */
throughput: FaultThroughput | null, 
/**
 * From the snapshot that first has it, ms; 0: for as long as it is configured.
 */
ttlMs: number, };
export type FaultAbort = { 
/**
 * Its status.
 */
status: number, 
/**
 * Of a million requests.
 */
sharePpm: number, };
export type FaultDelay = { 
/**
 * How long, ms.
 */
fixedMs: number, 
/**
 * Of a million requests.
 */
sharePpm: number, };
export type FaultThroughput = { 
/**
 * At most.
 */
bytesPerSecond: number, 
/**
 * Of a million requests.
 */
sharePpm: number, };
export type Cluster = { 
/**
 * Unique name.
 */
name: string, 
/**
 * Where its requests can go.
 */
endpoints: Array<ClusterEndpoint>, 
/**
 * The endpoints come from a registry; an empty list then leaves those that are known already.
 */
discovered: boolean, 
/**
 * How an endpoint is chosen.
 */
loadBalancer: LoadBalancer, 
/**
 * Where a balancer by hash takes its key: the first of these that the request has; else by chance.
 */
hashOn: Array<StickyKey>, 
/**
 * To establish a connection, ms.
 */
connectTimeoutMs: number, 
/**
 * Bounds on what is under way.
 */
circuitBreaker: CircuitBreaker | null, 
/**
 * A bound on requests that follows their latency.
 */
adaptiveConcurrency: AdaptiveConcurrency | null, 
/**
 * Whether a second attempt goes out beside one that takes long.
 */
hedge: Hedge | null, 
/**
 * Bound on retries.
 */
retryBudget: RetryBudget, 
/**
 * In the order in which requests meet them, once for an exchange however often it is attempted.
 */
filters: Array<Filter>, 
/**
 * How connections are kept.
 */
keepAlive: KeepAlive, 
/**
 * Probes of the kernel's; none: as the system is set.
 */
tcpKeepAlive: TcpKeepAlive | null, 
/**
 * Where endpoints come from besides the list.
 */
dns: Dns | null, 
/**
 * How endpoints are checked.
 */
healthCheck: HealthCheck | null, 
/**
 * What puts endpoints out for a time.
 */
outlierDetection: OutlierDetection | null, 
/**
 * Parts of it that routes can ask for.
 */
subsets: Subsets | null, 
/**
 * Whether it matters where endpoints run.
 */
localityAware: LocalityAware | null, 
/**
 * Percent of healthy endpoints below which all count as healthy; 0: never.
 */
panicThreshold: number, 
/**
 * Percent of its load that a healthy endpoint can take for others, 100 to 1,000.
 */
overProvisioning: number, };
export type CircuitBreaker = { 
/**
 * Connections, idle ones included; 0: no bound.
 */
maxConnections: number, 
/**
 * Requests that wait for a connection; counts only beside `max_connections`.
 */
maxPending: number, 
/**
 * Requests; 0: no bound.
 */
maxRequests: number, 
/**
 * Retries; `null`: no bound but the budget's.
 */
maxRetries: number | null, 
/**
 * What opens the breaker of a single endpoint; none: nothing does.
 */
trip: Trip | null, };
export type AdaptiveConcurrency = { 
/**
 * The bound is never lower, and as low while the shortest latency is measured.
 */
minLimit: number, 
/**
 * Nor higher.
 */
maxLimit: number, 
/**
 * Percentile of the latencies that is looked at.
 */
percentile: number, 
/**
 * From one bound to the next, ms.
 */
intervalMs: number, 
/**
 * From one measurement of the shortest latency to the next, ms.
 */
minRttIntervalMs: number, 
/**
 * Up to so many percent longer, by chance, lest all proxies measure at once.
 */
minRttJitterPercent: number, 
/**
 * Requests that a measurement takes.
 */
minRttRequests: number, 
/**
 * Latency above the shortest one that is taken for noise, in percent of it.
 */
bufferPercent: number, };
export type Trip = { 
/**
 * Failures in a row.
 */
consecutiveFailures: number | null, 
/**
 * Too few requests that succeed.
 */
successRate: SuccessRateBelow | null, 
/**
 * Too many requests that are slow.
 */
slowCalls: SlowCalls | null, 
/**
 * A condition that holds.
 */
when: TripWhen | null, 
/**
 * How long it is open before one request tries, ms; doubled each time that one fails.
 */
openMs: number, 
/**
 * The longest, ms.
 */
maxOpenMs: number, 
/**
 * Largest random addition, in percent of it.
 */
jitterPercent: number, };
export type SuccessRateBelow = { 
/**
 * Fewer than this, in percent.
 */
belowPercent: number, 
/**
 * The window, ms.
 */
windowMs: number, 
/**
 * Fewer requests than this in the window decide nothing.
 */
minRequests: number, };
export type SlowCalls = { 
/**
 * What is slow: longer than this to the first byte, ms.
 */
overMs: number, 
/**
 * More than this, in percent.
 */
abovePercent: number, 
/**
 * The window, ms.
 */
windowMs: number, 
/**
 * Fewer requests than this in the window decide nothing.
 */
minRequests: number, };
export type OutlierDetection = { 
/**
 * What is found is told, and nothing put out.
 */
shadow: boolean, 
/**
 * Answers of 5xx in a row.
 */
consecutive5xx: number | null, 
/**
 * Answers of 502, 503 and 504 in a row.
 */
consecutiveGatewayErrors: number | null, 
/**
 * Attempts without an answer in a row; `null`: they count as 503.
 */
consecutiveLocalErrors: number | null, 
/**
 * Between two comparisons of all endpoints, ms.
 */
intervalMs: number, 
/**
 * How long an endpoint is out, times how often in a row, ms.
 */
baseEjectionMs: number, 
/**
 * The longest, ms.
 */
maxEjectionMs: number, 
/**
 * Largest random addition, ms.
 */
ejectionJitterMs: number, 
/**
 * How many of the endpoints may be out, in percent.
 */
maxEjectionPercent: number, 
/**
 * The last endpoint that is up may be put out too.
 */
ejectLast: boolean, 
/**
 * A health check that succeeds ends it.
 */
returnOnHealthCheck: boolean, 
/**
 * Endpoints that succeed much less often than the others.
 */
successRate: SuccessRateOutlier | null, 
/**
 * Endpoints that fail more often than this.
 */
failurePercentage: FailurePercentage | null, };
export type SuccessRateOutlier = { 
/**
 * How many standard deviations below.
 */
stdevFactor: number, 
/**
 * Endpoints with enough requests that there must be.
 */
minHosts: number, 
/**
 * Requests within an interval that are enough.
 */
requestVolume: number, };
export type FailurePercentage = { 
/**
 * From how many percent on.
 */
threshold: number, 
/**
 * Endpoints with enough requests that there must be.
 */
minHosts: number, 
/**
 * Requests within an interval that are enough.
 */
requestVolume: number, };
export type RetryBudget = { 
/**
 * Retries per hundred requests that are in their first attempt.
 */
percent: number, 
/**
 * Retries that are always allowed.
 */
minConcurrency: number, };
export type ClusterEndpoint = { 
/**
 * `ip:port`, `[v6]:port`, `unix:/path`, `unix:@name`.
 */
address: string, 
/**
 * Its share of the requests, 1 to 65,535.
 */
weight: number, 
/**
 * Where it runs; empty text where nothing was said.
 */
region: string, 
/**
 * The inner part of the locality.
 */
zone: string, 
/**
 * 0 comes first; the others when those before are short of health.
 */
priority: number, 
/**
 * Free labels.
 */
labels: { [key in string]: string }, };
export type LoadBalancer = { "policy": "round-robin", 
/**
 * How endpoints that come begin.
 */
slowStart: SlowStart | null, } | { "policy": "random", } | { "policy": "least-request", 
/**
 * How many are drawn.
 */
choices: number, 
/**
 * All are compared instead.
 */
fullScan: boolean, 
/**
 * None: the least busy per weight takes it. Else chance does, by weight over one more than the requests under
 * way to this power; 0 regards the weights only.
 */
activeRequestBias: number | null, 
/**
 * How endpoints that come begin.
 */
slowStart: SlowStart | null, } | { "policy": "peak-ewma", 
/**
 * How many are drawn.
 */
choices: number, 
/**
 * In which a latency that was seen loses all but 1/e of its weight, ms.
 */
decayMs: number, 
/**
 * What an endpoint counts as before it was heard of, ms.
 */
defaultRttMs: number, 
/**
 * What a failure counts as at least, ms.
 */
penaltyMs: number, 
/**
 * How endpoints that come begin.
 */
slowStart: SlowStart | null, } | { "policy": "ring-hash", 
/**
 * Least hashes on the ring.
 */
minRing: number, 
/**
 * Most hashes on the ring.
 */
maxRing: number, 
/**
 * Most requests under way at an endpoint, in percent of its even share; none: no bound.
 */
boundedLoad: number | null, } | { "policy": "maglev", 
/**
 * Places, a prime number.
 */
tableSize: number, 
/**
 * Most requests under way at an endpoint, in percent of its even share; none: no bound.
 */
boundedLoad: number | null, };
export type Subsets = { 
/**
 * Sets of label names: endpoints that agree in all labels of one are a subset.
 */
keys: Array<Array<string>>, 
/**
 * Who answers for a subset without endpoints.
 */
fallback: SubsetFallback, };
export type SubsetFallback = "none" | "any" | { "default": { [key in string]: string } };
export type LocalityAware = { 
/**
 * By what.
 */
mode: LocalityMode, 
/**
 * Healthy endpoints below which the own zone does not come first.
 */
minEndpoints: number, 
/**
 * By zone: proxies that call from it, or its weight; empty: all are alike.
 */
weights: { [key in string]: number }, 
/**
 * Regions that stand in for the proxy's own, one after the other; empty: regions make no difference.
 */
failover: Array<string>, };
export type LocalityMode = "off" | "zone" | "weighted";
export type SlowStart = { 
/**
 * Until it has it, ms.
 */
windowMs: number, 
/**
 * 1: evenly; more: sooner; less: later.
 */
aggression: number, 
/**
 * What it begins with, percent of its share.
 */
minWeightPercent: number, };
export type Hedge = { 
/**
 * One takes long when it takes longer than so many per cent of the cluster's, 1 to 99.
 */
afterPercentile: number, 
/**
 * And longer than this, ms.
 */
minDelayMs: number, 
/**
 * Second attempts per hundred requests, at most, 1 to 100.
 */
maxExtraPercent: number, };
export type EndpointUpdate = { 
/**
 * Name of the cluster.
 */
cluster: string, 
/**
 * Endpoints that come, or whose weight, place or labels change.
 */
endpoints: Array<ClusterEndpoint>, 
/**
 * Addresses that go.
 */
removed: Array<string>, 
/**
 * `endpoints` are all that there are: what is not among them goes.
 */
complete: boolean, };
export type Filter = { "type": "local-rate-limit" } & LocalRateLimit | { "type": "bandwidth-limit" } & BandwidthLimit | { "type": "budget" } & Budget | { "type": "header-rewrite" } & HeaderRewrite | { "type": "script" } & Script;
export type BandwidthLimit = { 
/**
 * Bytes a second each way, of all bodies that pass the filter.
 */
bytesPerSecond: number, 
/**
 * Which bodies.
 */
direction: LimitedDirection, };
export type LimitedDirection = "request" | "response" | "both";
export type Budget = { 
/**
 * Absolute path of the keys, one a line; the first signs.
 */
keyFile: string, 
/**
 * Retries that a request without a budget may cause, over all hops.
 */
retries: number, };
export type LocalRateLimit = { 
/**
 * In the order in which they are asked.
 */
buckets: Array<RateBucket>, 
/**
 * Status of the answer to a request that gets none.
 */
status: number, 
/**
 * Answers tell limit, remaining tokens and time to a full bucket.
 */
headers: boolean, 
/**
 * Requests that get no token are counted and recorded, and go on.
 */
shadow: boolean, };
export type RateBucket = { 
/**
 * Unique among the buckets of the listener, route or cluster.
 */
name: string, 
/**
 * What requests are told apart by; empty: one bucket for all.
 */
key: Array<KeyPart>, 
/**
 * Tokens when full.
 */
tokens: number, 
/**
 * Tokens that come back in each `every_ms`, evenly spread.
 */
refill: number, 
/**
 * See `refill`.
 */
everyMs: number, 
/**
 * Keys that there is room for; 0: only those of `keys` are limited.
 */
maxKeys: number, 
/**
 * All keys share the tokens of one bucket, fairly.
 */
fair: boolean, 
/**
 * Tokens come slowly at first and after a rest.
 */
warmUp: WarmUp | null, 
/**
 * How long a request waits for its token; none: it does not.
 */
maxWaitMs: number | null, 
/**
 * Keys with a bucket of their own.
 */
keys: Array<RateKey>, };
export type RateKey = { 
/**
 * A value for each part of the key.
 */
values: Array<string>, 
/**
 * As the bucket's.
 */
tokens: number, 
/**
 * As the bucket's.
 */
refill: number, 
/**
 * As the bucket's.
 */
everyMs: number, };
export type WarmUp = { 
/**
 * From cold to full speed, ms.
 */
overMs: number, 
/**
 * How many times slower tokens come to a cold one.
 */
coldFactor: number, };
export type KeyPart = { "header": string } | { "cookie": string } | { "query": string } | "clientAddress" | "identity" | "path" | "host" | "method" | { "pathTemplate": Array<string> } | { "generic": string };
export type HeaderRewrite = { 
/**
 * Before the request goes on.
 */
request: HeaderEdits, 
/**
 * Before the answer goes back.
 */
response: HeaderEdits, };
export type Script = { 
/**
 * Its number in the process. Never used again for another one.
 */
id: number, 
/**
 * What records, counts and logs call it.
 */
name: string, 
/**
 * It looks at requests' heads.
 */
requestHead: boolean, 
/**
 * It looks at answers' heads.
 */
responseHead: boolean, 
/**
 * How it sees requests' bodies.
 */
requestBody: ScriptBody, 
/**
 * How it sees answers' bodies.
 */
responseBody: ScriptBody, 
/**
 * Bytes of a body that is gathered for it.
 */
maxBodyBytes: number, 
/**
 * What becomes of an exchange in which it fails.
 */
onFailure: OnFailure, 
/**
 * How long an exchange waits for it; none: as long as it takes.
 */
timeBudgetMs: number | null, 
/**
 * It runs in a pool of threads of its own.
 */
pool: boolean, };
export type ScriptBody = "none" | "stream" | "buffer";
export type OnFailure = "open" | "closed";
export type HeaderEdits = { 
/**
 * Text of values is replaced.
 */
replace: Array<HeaderReplace>, 
/**
 * Every line of the name goes.
 */
remove: Array<string>, 
/**
 * One line takes the place of all of the name.
 */
set: Array<HeaderLine>, 
/**
 * A line comes behind those of the name.
 */
add: Array<HeaderLine>, };
export type HeaderReplace = { 
/**
 * Name of the lines.
 */
name: string, 
/**
 * What is looked for, everywhere in the value.
 */
regex: string, 
/**
 * What takes its place; `$1` or `${name}` is a group of the match, `$$` a dollar sign.
 */
with: string, };
export type Tracing = { 
/**
 * Traces begun here that are sampled, in millionths.
 */
samplingPpm: number, };
export type KeepAlive = { 
/**
 * How long an unused connection is kept, ms; none: as long as the endpoint was seen to allow.
 */
idleTimeoutMs: number | null, 
/**
 * Requests on one connection before it is closed; 0: no bound.
 */
maxRequestsPerConnection: number, };
export type TcpKeepAlive = { 
/**
 * Silence before the first probe, s.
 */
timeS: number, 
/**
 * Between probes, s.
 */
intervalS: number, 
/**
 * Probes without an answer before the connection is given up.
 */
probes: number, 
/**
 * Longest time that sent bytes stay without acknowledgement, ms; 0: the system's.
 */
userTimeoutMs: number, };
export type Dns = { 
/**
 * The name.
 */
name: string, 
/**
 * Port of the endpoints; with SRV records those say it and this is 0.
 */
port: number, 
/**
 * Which records are asked for.
 */
record: DnsRecord, 
/**
 * The name as a whole is one endpoint, whatever addresses it has.
 */
single: boolean, 
/**
 * Longest time between two lookups, ms; a record's TTL shortens it.
 */
refreshMs: number, 
/**
 * Name servers, `ip:port`; empty: those of the system.
 */
resolvers: Array<string>, };
export type DnsRecord = "address" | "a" | "aaaa" | "srv";
export type HealthCheck = { 
/**
 * The request; none: that a connection can be made is enough.
 */
http: HttpCheck | null, 
/**
 * Between two checks of an endpoint, ms.
 */
intervalMs: number, 
/**
 * The same while checks fail, ms.
 */
unhealthyIntervalMs: number, 
/**
 * After a failure that is not enough yet, ms.
 */
unhealthyEdgeIntervalMs: number, 
/**
 * After a success that is not enough yet, ms.
 */
healthyEdgeIntervalMs: number, 
/**
 * While the cluster has never had a request, ms; `null`: as if it had.
 */
noTrafficIntervalMs: number | null, 
/**
 * Largest random wait before the first check, ms.
 */
initialJitterMs: number, 
/**
 * Largest random addition to each interval, ms.
 */
intervalJitterMs: number, 
/**
 * For one check, ms.
 */
timeoutMs: number, 
/**
 * Successes in a row that make an endpoint healthy.
 */
healthyThreshold: number, 
/**
 * Failures in a row that make it unhealthy.
 */
unhealthyThreshold: number, 
/**
 * Checks follow each other on one connection.
 */
reuseConnection: boolean, };
export type HttpCheck = { 
/**
 * Path and query.
 */
path: string, 
/**
 * The `host` header; empty: the endpoint's address.
 */
host: string, 
/**
 * Statuses that mean healthy, as inclusive ranges.
 */
expectedStatuses: Array<[number, number]>, 
/**
 * Statuses that speak against it without deciding at once, as inclusive ranges.
 */
retriableStatuses: Array<[number, number]>, };
export type Mirror = { 
/**
 * Index of the cluster.
 */
cluster: number, 
/**
 * Of its endpoints only those with these labels; none: all.
 */
subset: { [key in string]: string } | null, 
/**
 * Of a million requests.
 */
sharePpm: number, 
/**
 * Longest time of a copy, from its first byte to the last of its answer, ms.
 */
timeoutMs: number, 
/**
 * Copies under way over all workers; beyond that none is made.
 */
maxConcurrent: number, 
/**
 * Requests with a longer body are not copied.
 */
maxBodyBytes: number, 
/**
 * The answers are compared; none: they are thrown away.
 */
diff: MirrorDiff | null, };
export type MirrorDiff = { 
/**
 * Headers, and fields of JSON by their path, that may differ.
 */
ignore: Array<string>, 
/**
 * Of longer bodies nothing but their length is compared.
 */
maxBodyBytes: number, };
export type Overrides = { 
/**
 * Callers are believed; else what they say is removed.
 */
trusted: boolean, 
/**
 * Header that names a request's lane, lower case.
 */
laneHeader: string, 
/**
 * `l5d-dtab` is followed, and who sends `l5d-add-context` is told where a request went.
 */
dtab: boolean, };
