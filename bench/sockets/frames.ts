/** The one message of the socket scenarios: 100 bytes of text, as a client and as a server frame it (RFC 6455 5.2). */

export const MESSAGE_BYTES = 100

const payload = Buffer.alloc(MESSAGE_BYTES, 'x')
const mask = Buffer.from([1, 2, 3, 4])

/** Final, text, masked. */
export const fromClient = Buffer.concat([
  Buffer.from([0x81, 0x80 | MESSAGE_BYTES]),
  mask,
  payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)),
])

/** Final, text. */
export const fromServer = Buffer.concat([Buffer.from([0x81, MESSAGE_BYTES]), payload])
