/**
 * How records lie in a file: `WFT1`, length, CRC-32 of length and payload (both little-endian, 4 bytes), payload.
 *
 * Invariants: reading never throws and never believes a length that the file cannot hold; what it returns is exactly
 * what was written, from the start up to the first damage.
 */
import { crc32 } from 'node:zlib'

const magic = Buffer.from('WFT1')
const headBytes = 12
/** Far above anything the API lets in; a larger length is damage. */
export const maxPayloadBytes = 64 * 1024 * 1024

export function encodeFrame(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length)
  magic.copy(frame)
  frame.writeUInt32LE(payload.length, 4)
  frame.writeUInt32LE(checksum(frame.subarray(4, 8), payload), 8)
  payload.copy(frame, headBytes)
  return frame
}

export interface Frames {
  payloads: Buffer[]
  /** Where the last good record ends. */
  goodBytes: number
  /** `tail`: nothing readable follows, as after a write that was cut short. `middle`: records follow the damage. */
  damage: 'tail' | 'middle' | null
}

export function readFrames(bytes: Buffer): Frames {
  const payloads: Buffer[] = []
  let offset = 0
  while (offset < bytes.length) {
    const payload = frameAt(bytes, offset)
    if (payload === null) return { payloads, goodBytes: offset, damage: damageFrom(bytes, offset) }
    payloads.push(payload)
    offset += headBytes + payload.length
  }
  return { payloads, goodBytes: offset, damage: null }
}

function frameAt(bytes: Buffer, offset: number): Buffer | null {
  if (bytes.length - offset < headBytes || magic.compare(bytes, offset, offset + 4) !== 0) return null
  const length = bytes.readUInt32LE(offset + 4)
  if (length > maxPayloadBytes || length > bytes.length - offset - headBytes) return null
  const payload = bytes.subarray(offset + headBytes, offset + headBytes + length)
  const sum = checksum(bytes.subarray(offset + 4, offset + 8), payload)
  return sum === bytes.readUInt32LE(offset + 8) ? payload : null
}

function damageFrom(bytes: Buffer, offset: number): 'tail' | 'middle' {
  for (let at = bytes.indexOf(magic, offset + 1); at !== -1; at = bytes.indexOf(magic, at + 1)) {
    if (frameAt(bytes, at) !== null) return 'middle'
  }
  return 'tail'
}

function checksum(length: Buffer, payload: Buffer): number {
  return crc32(payload, crc32(length))
}
