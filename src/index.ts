/** The public interface of the package: re-exports only. */
export type { ProxyConfig } from './config/config.js'
export {
  type ControlConfig,
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from './control/start-control-plane.js'
export {
  defineSocket,
  type Socket,
  type SocketContext,
  type SocketDefinition,
  type SocketHandlers,
  type SocketRequest,
  type UpgradeAnswer,
} from './door/socket/define-socket.js'
export { type Code, type Issue, WeftError } from './errors.js'
export type { DirectAnswer } from './filters/answer.js'
export type { RequestBody, ResponseBody } from './filters/body.js'
export {
  type BodyDecision,
  type BodyMode,
  type Decision,
  defineFilter,
  type FilterContext,
  type FilterDefinition,
  type FilterLog,
  type InlineFilter,
  type OptionsSchema,
} from './filters/definition.js'
export type { HeaderLines } from './filters/header-lines.js'
export type { FilterRequest } from './filters/request.js'
export type { FilterResponse } from './filters/response.js'
export type { Change, ConfigSource } from './proxy/config-source.js'
export {
  type DrainOptions,
  type StartOptions,
  startEmbeddedProxy as startProxy,
  type WeftProxy,
} from './proxy/embedded-proxy.js'
export type {
  ClusterStats,
  EndpointStats,
  Latency,
  ListenerStats,
  ProxyStats,
  RequestStats,
  RouteStats,
} from './proxy/proxy-stats.js'
