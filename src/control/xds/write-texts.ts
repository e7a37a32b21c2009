/** Fields of a message that are texts, as bytes: what a response says of itself costs little beside what it holds. */

/** Wire type 2 of protobuf: a length and as many bytes. */
const lengthDelimited = 2

/** By number; a field that is repeated stands several times, an empty one says nothing else than one that is not there. */
export function writeTexts(fields: readonly (readonly [field: number, text: string])[]): Buffer {
  const sizes = fields.map(([, text]) => Buffer.byteLength(text))
  const bytes = Buffer.allocUnsafe(fields.reduce((sum, _, index) => sum + maxHead + (sizes[index] ?? 0), 0))
  let at = 0
  const writeNumber = (value: number) => {
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
    bytes[at++] = rest
  }
  for (const [index, [field, text]] of fields.entries()) {
    writeNumber((field << 3) | lengthDelimited)
    writeNumber(sizes[index] ?? 0)
    at += bytes.write(text, at)
  }
  return bytes.subarray(0, at)
}

/** Two numbers of 32 bits at most. */
const maxHead = 10
