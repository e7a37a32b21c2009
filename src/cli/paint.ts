/** Colours for text that people read: only where the stream is a terminal and NO_COLOR is not set. */
import type { Paint } from '../telemetry/explanation-text.js'

const codes = { red: 31, green: 32, yellow: 33, cyan: 36, bold: 1, dim: 2 }

export function painter(stream: { isTTY?: boolean }): Paint {
  const colours = stream.isTTY === true && process.env.NO_COLOR === undefined
  return (colour, text) => (colours ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text)
}

/** No colour. */
export const plain: Paint = (_, text) => text
