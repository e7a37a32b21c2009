/** Bodies whose every byte is known, of any length, with their hash. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'

const block = Buffer.alloc(65_521) // a prime: a lost or repeated buffer of any usual size shifts the pattern
for (let i = 0, x = 1; i < block.length; i++) {
  x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0
  block[i] = x >>> 16
}

export function* patternBlocks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= block.length) yield left >= block.length ? block : block.subarray(0, left)
}

export function pattern(bytes: number): Buffer {
  return Buffer.concat([...patternBlocks(bytes)])
}

export function patternStream(bytes: number): Readable {
  return Readable.from(patternBlocks(bytes), { objectMode: false })
}

export function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex')
}

export function patternHash(bytes: number): string {
  const hash = createHash('sha256')
  for (const part of patternBlocks(bytes)) hash.update(part)
  return hash.digest('hex')
}
