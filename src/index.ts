/** The public interface of the package: re-exports only. */
export type { ProxyConfig } from './config/config.js'
export {
  type ControlConfig,
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from './control/start-control-plane.js'
export { type Code, type Issue, WeftError } from './errors.js'
export type { Stats } from './native/index.js'
export { type ConfigSource, type StartOptions, startProxy, type WeftProxy } from './proxy/start-proxy.js'
