/**
 * Fourth step: the snapshot as the bytes that cross into the engine, or lie in a file for `weft-agent`; and a change of
 * endpoints between two snapshots likewise.
 *
 * Invariant: MessagePack maps with string keys, no records and no extensions: what rmp-serde reads.
 */
import { Packr } from 'msgpackr'
import type { EndpointUpdate, Snapshot } from '../native/snapshot.js'

export function encodeSnapshot(snapshot: Snapshot): Buffer {
  return packed(snapshot)
}

export function encodeEndpointUpdate(update: EndpointUpdate): Buffer {
  return packed(update)
}

function packed(value: Snapshot | EndpointUpdate): Buffer {
  return new Packr({ useRecords: false, variableMapSize: true }).pack(value)
}
