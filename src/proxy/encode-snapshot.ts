/**
 * Fourth step: the snapshot as the bytes that cross into the engine, or lie in a file for `weft-agent`.
 *
 * Invariant: MessagePack maps with string keys, no records and no extensions: what rmp-serde reads.
 */
import { Packr } from 'msgpackr'
import type { Snapshot } from '../native/snapshot.js'

export function encodeSnapshot(snapshot: Snapshot): Buffer {
  return new Packr({ useRecords: false, variableMapSize: true }).pack(snapshot)
}
