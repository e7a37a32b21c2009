/**
 * Filters that routes bring themselves. One that stands in the chain can be configured for a route only as far as it
 * foresees it; what another route needs of whom it asks, it mostly does not. So a place is kept in the chain, off, and a
 * route says which filters stand in it.
 */
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import {
  CompositePerRouteSchema,
  CompositeSchema,
  ExecuteFilterActionSchema,
} from '../../xds/protos/envoy/extensions/filters/http/composite/v3/composite_pb.js'
import type { HttpFilterJson } from '../../xds/protos/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { pack } from './any.js'

export function filterPlace(name: string): HttpFilterJson {
  return { name, disabled: true, typedConfig: pack(CompositeSchema, {}) }
}

/** What a route says of a place: one filter after the other, of which only the last may wait for somebody. */
export function chosenFilters(filters: { name: string; typedConfig: AnyJson }[]): AnyJson {
  const typedConfig = pack(ExecuteFilterActionSchema, { filterChain: { typedConfig: filters } })
  return pack(CompositePerRouteSchema, { matcher: { onNoMatch: { action: { name: 'filters', typedConfig } } } })
}
