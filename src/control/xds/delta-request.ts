/**
 * Delta requests from bytes. Their long lists, the names of a large mesh and the versions that a client kept, are read
 * here; the rest is left to the generated message, which is slow with thousands of short strings.
 */
import { isAscii } from 'node:buffer'
import { fromBinary } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
} from './protos/envoy/service/discovery/v3/discovery_pb.js'

export interface DeltaRequest
  extends Pick<DeltaDiscoveryRequest, 'node' | 'typeUrl' | 'responseNonce' | 'errorDetail'> {
  resourceNamesSubscribe: string[]
  resourceNamesUnsubscribe: string[]
  initialResourceVersions: ReadonlyMap<string, string>
}

/** Numbers of the fields that are read here. */
const fields = { typeUrl: 2, subscribe: 3, unsubscribe: 4, versions: 5, nonce: 6 } as const
const [keyField, valueField] = [1, 2]

const nothing: Partial<Pick<DeltaRequest, 'node' | 'errorDetail'>> = {}

/** Throws for bytes that are no such message. */
export function readDeltaRequest(bytes: Buffer): DeltaRequest {
  const subscribe: string[] = []
  const unsubscribe: string[] = []
  const versions = new Map<string, string>()
  const others: Buffer[] = []
  let [typeUrl, responseNonce] = ['', '']
  const reader = new BinaryReader(bytes)
  const textOf = textsOf(bytes)
  while (reader.pos < reader.len) {
    const start = reader.pos
    const [field, type] = reader.tag()
    if (type === WireType.LengthDelimited && field === fields.subscribe) subscribe.push(readText(reader, textOf))
    else if (type === WireType.LengthDelimited && field === fields.typeUrl) typeUrl = readText(reader, textOf)
    else if (type === WireType.LengthDelimited && field === fields.nonce) responseNonce = readText(reader, textOf)
    else if (type === WireType.LengthDelimited && field === fields.unsubscribe)
      unsubscribe.push(readText(reader, textOf))
    else if (type === WireType.LengthDelimited && field === fields.versions) readVersion(reader, textOf, versions)
    else {
      reader.skip(type, field)
      others.push(bytes.subarray(start, reader.pos))
    }
  }
  // Of most requests nothing is left.
  const { node, errorDetail } =
    others.length === 0 ? nothing : fromBinary(DeltaDiscoveryRequestSchema, Buffer.concat(others))
  return {
    ...{ node, typeUrl, responseNonce, errorDetail, initialResourceVersions: versions },
    ...{ resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe },
  }
}

/** A field's text from where it begins to where it ends. Of a text that is all ASCII a part is cut without a copy. */
type TextOf = (start: number, end: number) => string

function textsOf(bytes: Buffer): TextOf {
  if (!isAscii(bytes)) return (start, end) => bytes.toString('utf8', start, end)
  const all = bytes.toString('latin1')
  return (start, end) => all.slice(start, end)
}

function readVersion(reader: BinaryReader, textOf: TextOf, versions: Map<string, string>): void {
  const end = endOf(reader)
  let [key, value] = ['', '']
  while (reader.pos < end) {
    const [field, type] = reader.tag()
    if (type === WireType.LengthDelimited && field === keyField) key = readText(reader, textOf)
    else if (type === WireType.LengthDelimited && field === valueField) value = readText(reader, textOf)
    else reader.skip(type, field)
  }
  if (reader.pos !== end) throw new RangeError('an entry of a map is longer than it says')
  versions.set(key, value)
}

function readText(reader: BinaryReader, textOf: TextOf): string {
  const end = endOf(reader)
  const text = textOf(reader.pos, end)
  reader.pos = end
  return text
}

function endOf(reader: BinaryReader): number {
  const length = reader.uint32()
  const end = reader.pos + length
  if (end > reader.len) throw new RangeError('a field is longer than its message')
  return end
}
