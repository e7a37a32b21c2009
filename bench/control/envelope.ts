/** What a discovery response says of itself, without its resources: they are counted and skipped. */

export interface Envelope {
  typeUrl: string
  nonce: string
  resources: number
}

/** Field numbers of `envoy.service.discovery.v3.DeltaDiscoveryResponse`, all of wire type 2. */
const [resourcesField, typeUrlField, nonceField] = [2, 4, 5]

export function readEnvelope(body: Buffer): Envelope {
  const envelope: Envelope = { typeUrl: '', nonce: '', resources: 0 }
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = body[at++] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (at < body.length) {
    const field = varint() >> 3
    const length = varint()
    if (field === resourcesField) envelope.resources += 1
    else if (field === typeUrlField) envelope.typeUrl = body.toString('utf8', at, at + length)
    else if (field === nonceField) envelope.nonce = body.toString('utf8', at, at + length)
    at += length
  }
  return envelope
}
