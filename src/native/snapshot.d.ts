export interface Snapshot { format: number, node: Node, records: Records, drainDeadlineMs: number, listeners: Array<Listener>, routes: Array<Route>, clusters: Array<Cluster> }
export interface Node { id: string, service: string, version: string, region: string, zone: string }
export interface Records { ring: number, headers: Array<string>, redact: Array<string> }
export interface Listener { name: string, address: string, limits: ListenerLimits, accessLog: AccessLog | null, abortOnClose: boolean }
export interface ListenerLimits { maxConnections: number, maxHeaderBytes: number, maxHeaders: number, headersTimeoutMs: number, idleTimeoutMs: number, maxRequestsPerConnection: number }
export interface AccessLog { path: string, format: string }
export interface Route { name: string, listeners: Array<number>, cluster: number, timeoutMs: number, firstByteTimeoutMs: number, idleTimeoutMs: number }
export interface Cluster { name: string, endpoints: Array<ClusterEndpoint>, connectTimeoutMs: number, keepAliveIdleMs: number }
export interface ClusterEndpoint { address: string }
