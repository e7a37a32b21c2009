/** A request's body in every form that undici takes it, as one run of bytes or as chunks. */
import { type Dispatcher, errors, type FormData as OwnForm, Response as OwnResponse } from 'undici'
import type { BodyKind } from './request-head.js'

type Given = Dispatcher.DispatchOptions['body']

export interface RequestBody extends BodyKind {
  /** All of it; null when it comes in chunks. */
  bytes: Uint8Array | null
  chunks: AsyncIterable<unknown> | Iterable<unknown> | null
}

/** Null: there is none. */
export function requestBody(given: Given): RequestBody | null {
  const body = given as unknown
  if (body == null) return null
  if (typeof body === 'string') return whole(Buffer.from(body))
  if (ArrayBuffer.isView(body)) return whole(new Uint8Array(body.buffer, body.byteOffset, body.byteLength))
  if (body instanceof ArrayBuffer) return whole(new Uint8Array(body))
  if (body instanceof Blob) {
    return { ...chunked(body.stream()), length: body.size, contentType: body.type === '' ? null : body.type }
  }
  if (isFormData(body)) {
    // A Response knows how a form is written, each that of its own copy of undici.
    const form = body instanceof FormData ? new Response(body) : new OwnResponse(body as OwnForm)
    const chunks = form.body
    if (chunks !== null) return { ...chunked(chunks), contentType: form.headers.get('content-type') }
  }
  if (isIterable(body)) return chunked(body)
  throw new errors.InvalidArgumentError(
    'body must be a string, a Buffer, a Readable stream, an iterable, or an async iterable',
  )
}

function whole(bytes: Uint8Array): RequestBody | null {
  return bytes.length === 0 ? null : { bytes, chunks: null, length: bytes.length, contentType: null }
}

function chunked(chunks: AsyncIterable<unknown> | Iterable<unknown>): RequestBody {
  return { bytes: null, chunks, length: null, contentType: null }
}

function isFormData(body: object): boolean {
  return (body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === 'FormData'
}

function isIterable(body: unknown): body is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof body === 'object' && body !== null && (Symbol.asyncIterator in body || Symbol.iterator in body)
}

/** A chunk as bytes; anything but text and bytes is refused. */
export function chunkBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  throw new errors.InvalidArgumentError('a chunk of the body must be a string or bytes')
}
