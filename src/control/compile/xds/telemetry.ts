/** Access logs and traces of a listener. */
import type { JsonObject } from '@bufbuild/protobuf'
import type { AccessLogFilterJson, AccessLogJson } from '../../xds/protos/envoy/config/accesslog/v3/accesslog_pb.js'
import type { SubstitutionFormatStringJson } from '../../xds/protos/envoy/config/core/v3/substitution_format_string_pb.js'
import type { Tracing_HttpJson } from '../../xds/protos/envoy/config/trace/v3/http_tracer_pb.js'
import { OpenTelemetryConfigSchema } from '../../xds/protos/envoy/config/trace/v3/opentelemetry_pb.js'
import { ZipkinConfigSchema } from '../../xds/protos/envoy/config/trace/v3/zipkin_pb.js'
import { FileAccessLogSchema } from '../../xds/protos/envoy/extensions/access_loggers/file/v3/file_pb.js'
import { ExpressionFilterSchema } from '../../xds/protos/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import { StdoutAccessLogSchema } from '../../xds/protos/envoy/extensions/access_loggers/stream/v3/stream_pb.js'
import type {
  HttpConnectionManager_TracingJson,
  HttpConnectionManagerJson,
} from '../../xds/protos/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { CustomTagJson } from '../../xds/protos/envoy/type/tracing/v3/custom_tag_pb.js'
import type { AccessLog, ListenerTelemetry, TraceExporter, TraceTag, Tracing } from '../listener-nouns.js'
import { pack, seconds } from './any.js'

type Telling = Pick<HttpConnectionManagerJson, 'accessLog' | 'tracing'>

export function telemetryFields(telemetry: ListenerTelemetry | null): Telling {
  if (telemetry === null) return {}
  const { accessLogs, tracing } = telemetry
  return {
    ...(accessLogs.length === 0 ? {} : { accessLog: accessLogs.map(accessLog) }),
    ...(tracing === null ? {} : { tracing: tracingJson(tracing) }),
  }
}

const ofAuthorization = (key: string) => `%DYNAMIC_METADATA(envoy.filters.http.rbac:${key})%`

/** Names as in Istio’s JSON lines, so that what reads those reads these; the last ones tell what policies only record. */
const jsonLine: Record<string, string> = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
  route_name: '%ROUTE_NAME%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  downstream_peer: '%DOWNSTREAM_PEER_URI_SAN%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  audit_policy: ofAuthorization('audit_shadow_effective_policy_id'),
  dry_run_deny: ofAuthorization('dry_run_deny_shadow_engine_result'),
  dry_run_deny_policy: ofAuthorization('dry_run_deny_shadow_effective_policy_id'),
  dry_run_allow: ofAuthorization('dry_run_allow_shadow_engine_result'),
}

function accessLog({ path, format, filter }: AccessLog): AccessLogJson {
  const logFormat = formatJson(format)
  return {
    name: path === null ? 'envoy.access_loggers.stdout' : 'envoy.access_loggers.file',
    ...(filter === null ? {} : { filter: expressionFilter(filter) }),
    typedConfig:
      path === null ? pack(StdoutAccessLogSchema, { logFormat }) : pack(FileAccessLogSchema, { path, logFormat }),
  }
}

function formatJson(format: AccessLog['format']): SubstitutionFormatStringJson {
  if (typeof format !== 'string') return { jsonFormat: (format ?? jsonLine) as JsonObject }
  return { textFormatSource: { inlineString: format.endsWith('\n') ? format : `${format}\n` } }
}

function expressionFilter(expression: string): AccessLogFilterJson {
  const typedConfig = pack(ExpressionFilterSchema, { expression })
  return { extensionFilter: { name: 'envoy.access_loggers.extension_filters.cel', typedConfig } }
}

function tracingJson({ exporter, samplingPercent, tags }: Tracing): HttpConnectionManager_TracingJson {
  return {
    randomSampling: { value: samplingPercent },
    ...(tags.length === 0 ? {} : { customTags: tags.map(tagJson) }),
    provider: exporterJson(exporter),
  }
}

function tagJson(tag: TraceTag): CustomTagJson {
  if ('literal' in tag) return { tag: tag.name, literal: { value: tag.literal } }
  if ('format' in tag) return { tag: tag.name, value: tag.format }
  if ('header' in tag) return { tag: tag.name, requestHeader: { name: tag.header, defaultValue: tag.otherwise } }
  return { tag: tag.name, environment: { name: tag.environment, defaultValue: tag.otherwise } }
}

const exportTimeoutMs = 5_000

function exporterJson(exporter: TraceExporter): Tracing_HttpJson {
  const { type, cluster, authority, path, service } = exporter
  if (type === 'zipkin')
    return {
      name: 'envoy.tracers.zipkin',
      typedConfig: pack(ZipkinConfigSchema, {
        collectorCluster: cluster,
        collectorHostname: authority,
        collectorEndpoint: path ?? '/',
        collectorEndpointVersion: 'HTTP_JSON',
        traceId128bit: true,
        sharedSpanContext: false,
        traceContextOption: 'USE_B3_WITH_W3C_PROPAGATION',
      }),
    }
  const timeout = seconds(exportTimeoutMs)
  const place =
    type === 'otlp-grpc'
      ? { grpcService: { envoyGrpc: { clusterName: cluster, authority }, timeout } }
      : { httpService: { httpUri: { uri: `http://${authority}${path}`, cluster, timeout } } }
  return {
    name: 'envoy.tracers.opentelemetry',
    typedConfig: pack(OpenTelemetryConfigSchema, { serviceName: service, ...place }),
  }
}
