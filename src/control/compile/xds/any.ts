/** Messages inside messages: `google.protobuf.Any` in JSON, and the registry that encodes it. */
import { createRegistry, type JsonObject } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import type { AnyJson, DurationJson } from '@bufbuild/protobuf/wkt'
import { file_envoy_config_rbac_v3_rbac } from '../../xds/protos/envoy/config/rbac/v3/rbac_pb.js'
import { file_envoy_config_trace_v3_opentelemetry } from '../../xds/protos/envoy/config/trace/v3/opentelemetry_pb.js'
import { file_envoy_config_trace_v3_zipkin } from '../../xds/protos/envoy/config/trace/v3/zipkin_pb.js'
import { file_envoy_extensions_access_loggers_file_v3_file } from '../../xds/protos/envoy/extensions/access_loggers/file/v3/file_pb.js'
import { file_envoy_extensions_access_loggers_filters_cel_v3_cel } from '../../xds/protos/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import { file_envoy_extensions_access_loggers_stream_v3_stream } from '../../xds/protos/envoy/extensions/access_loggers/stream/v3/stream_pb.js'
import { file_envoy_extensions_filters_http_composite_v3_composite } from '../../xds/protos/envoy/extensions/filters/http/composite/v3/composite_pb.js'
import { file_envoy_extensions_filters_http_cors_v3_cors } from '../../xds/protos/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { file_envoy_extensions_filters_http_ext_authz_v3_ext_authz } from '../../xds/protos/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { file_envoy_extensions_filters_http_fault_v3_fault } from '../../xds/protos/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { file_envoy_extensions_filters_http_jwt_authn_v3_config } from '../../xds/protos/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { file_envoy_extensions_filters_http_on_demand_v3_on_demand } from '../../xds/protos/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js'
import { file_envoy_extensions_filters_http_rbac_v3_rbac } from '../../xds/protos/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { file_envoy_extensions_filters_http_router_v3_router } from '../../xds/protos/envoy/extensions/filters/http/router/v3/router_pb.js'
import { file_envoy_extensions_filters_http_stateful_session_v3_stateful_session } from '../../xds/protos/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js'
import { file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector } from '../../xds/protos/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import { file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager } from '../../xds/protos/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { file_envoy_extensions_filters_network_rbac_v3_rbac } from '../../xds/protos/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { file_envoy_extensions_filters_network_tcp_proxy_v3_tcp_proxy } from '../../xds/protos/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { file_envoy_extensions_http_stateful_session_cookie_v3_cookie } from '../../xds/protos/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.js'
import { file_envoy_extensions_http_stateful_session_header_v3_header } from '../../xds/protos/envoy/extensions/http/stateful_session/header/v3/header_pb.js'
import { file_envoy_extensions_retry_host_previous_hosts_v3_previous_hosts } from '../../xds/protos/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { file_envoy_extensions_retry_priority_previous_priorities_v3_previous_priorities_config } from '../../xds/protos/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js'
import { file_envoy_extensions_transport_sockets_proxy_protocol_v3_upstream_proxy_protocol } from '../../xds/protos/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js'
import { file_envoy_extensions_transport_sockets_raw_buffer_v3_raw_buffer } from '../../xds/protos/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import { file_envoy_extensions_transport_sockets_tls_v3_tls } from '../../xds/protos/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { file_envoy_extensions_upstreams_http_v3_http_protocol_options } from '../../xds/protos/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { FractionalPercentJson } from '../../xds/protos/envoy/type/v3/percent_pb.js'

/** Every message that `pack` is used with. */
export const anyRegistry = createRegistry(
  file_envoy_config_trace_v3_opentelemetry,
  file_envoy_config_trace_v3_zipkin,
  file_envoy_extensions_access_loggers_filters_cel_v3_cel,
  file_envoy_extensions_access_loggers_file_v3_file,
  file_envoy_extensions_filters_http_jwt_authn_v3_config,
  file_envoy_config_rbac_v3_rbac,
  file_envoy_extensions_access_loggers_stream_v3_stream,
  file_envoy_extensions_filters_http_composite_v3_composite,
  file_envoy_extensions_filters_http_cors_v3_cors,
  file_envoy_extensions_filters_http_ext_authz_v3_ext_authz,
  file_envoy_extensions_filters_http_fault_v3_fault,
  file_envoy_extensions_filters_http_on_demand_v3_on_demand,
  file_envoy_extensions_filters_http_rbac_v3_rbac,
  file_envoy_extensions_filters_http_router_v3_router,
  file_envoy_extensions_filters_http_stateful_session_v3_stateful_session,
  file_envoy_extensions_http_stateful_session_cookie_v3_cookie,
  file_envoy_extensions_http_stateful_session_header_v3_header,
  file_envoy_extensions_filters_listener_tls_inspector_v3_tls_inspector,
  file_envoy_extensions_filters_network_http_connection_manager_v3_http_connection_manager,
  file_envoy_extensions_filters_network_rbac_v3_rbac,
  file_envoy_extensions_filters_network_tcp_proxy_v3_tcp_proxy,
  file_envoy_extensions_retry_host_previous_hosts_v3_previous_hosts,
  file_envoy_extensions_transport_sockets_proxy_protocol_v3_upstream_proxy_protocol,
  file_envoy_extensions_transport_sockets_raw_buffer_v3_raw_buffer,
  file_envoy_extensions_retry_priority_previous_priorities_v3_previous_priorities_config,
  file_envoy_extensions_transport_sockets_tls_v3_tls,
  file_envoy_extensions_upstreams_http_v3_http_protocol_options,
)

export function typeUrl({ typeName }: { typeName: string }): string {
  return `type.googleapis.com/${typeName}`
}

// biome-ignore lint/suspicious/noExplicitAny: the generated schemas name their own message
export function pack<Json>(schema: GenMessage<any, { jsonType: Json }>, json: Json): AnyJson {
  return { '@type': typeUrl(schema), ...(json as JsonObject) } as AnyJson
}

/** Protobuf's JSON of a duration: decimal seconds. */
export function seconds(ms: number): DurationJson {
  return `${ms / 1000}s`
}

/** Hundredths of a percent are kept. */
export function fraction(percent: number): FractionalPercentJson {
  if (Number.isInteger(percent)) return { numerator: percent, denominator: 'HUNDRED' }
  return { numerator: Math.round(percent * 10_000), denominator: 'MILLION' }
}

/** Without the keys whose value is undefined or null, which protobuf's JSON has no use for. */
export function present<Value extends object>(value: { [Key in keyof Value]: Value[Key] | null | undefined }): Value {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined && one !== null)) as Value
}
