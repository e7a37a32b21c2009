/**
 * Discovery responses as bytes. A resource is encoded once for all streams, and so is a part that several of them are
 * sent; each response is a head of its own and copies of those.
 *
 * That is sound because encoded protobuf messages may be joined: the fields of both are those of one message, and the
 * elements of a repeated field stand in the order of the bytes.
 */
import type { XdsResource } from '../compile/xds/resources.js'
import type { Part } from './snapshot.js'

interface Joined {
  head: Uint8Array
  parts: readonly Part[]
  framed: Buffer
}

/** In front of each message of gRPC: that it is not compressed, and its length. */
export const frameHead = 5

export class ResponseBytes {
  /** A response that holds nothing but this resource. */
  private readonly encodeOne: (resource: XdsResource) => Uint8Array
  private readonly single = new WeakMap<XdsResource, Uint8Array>()
  /** By the first part. */
  private readonly last = new WeakMap<Part, Joined>()
  private readonly seen = new WeakSet<Part>()

  constructor(encodeOne: (resource: XdsResource) => Uint8Array) {
    this.encodeOne = encodeOne
  }

  /** Framed. Streams that join alike are sent alike, up to the nonce: then the bytes are the same ones. */
  join(head: Uint8Array, parts: readonly Part[], resources: readonly XdsResource[]): Buffer {
    const last = this.lastOf(parts)
    if (resources.length === 0 && last?.framed.subarray(frameHead, frameHead + last.head.length).equals(head))
      return last.framed
    const body = last === undefined ? this.bodiesOf(parts) : [last.framed.subarray(frameHead + last.head.length)]
    const framed = frame([head, ...body, ...resources.map((one) => this.ofResource(one))])
    const [first] = parts
    if (first === undefined || resources.length > 0) return framed
    // Kept from the second time on: a view that one data plane alone has would only take up room.
    if (this.seen.has(first)) this.last.set(first, { head, parts, framed })
    this.seen.add(first)
    return framed
  }

  private lastOf(parts: readonly Part[]): Joined | undefined {
    const [first] = parts
    const last = first === undefined ? undefined : this.last.get(first)
    const isSame = last?.parts.length === parts.length && last.parts.every((part, index) => part === parts[index])
    return isSame ? last : undefined
  }

  private bodiesOf(parts: readonly Part[]): Uint8Array[] {
    return parts.flatMap((part) => [...part.values()].map((one) => this.ofResource(one)))
  }

  private ofResource(resource: XdsResource): Uint8Array {
    const known = this.single.get(resource)
    if (known !== undefined) return known
    const bytes = this.encodeOne(resource)
    this.single.set(resource, bytes)
    return bytes
  }
}

function frame(bytes: readonly Uint8Array[]): Buffer {
  const framed = Buffer.concat([new Uint8Array(frameHead), ...bytes])
  framed.writeUInt32BE(framed.length - frameHead, 1)
  return framed
}
