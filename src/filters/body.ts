/** A body as a filter sees it: all of it where the filter asked for `buffer`, one part after the other with `stream`. */
import type { FilterRequest } from './request.js'
import type { FilterResponse } from './response.js'

class FilterBody {
  /** The bytes; the filter's own, and in whatever `content-encoding` they came. */
  readonly data: Uint8Array
  /** Nothing follows. Always so for a body that is buffered; the last part of a stream may be empty. */
  readonly last: boolean

  constructor(data: Uint8Array, last: boolean) {
    this.data = data
    this.last = last
  }

  /** As UTF-8. Of a stream a character may stand in two parts: use a `TextDecoder` with `stream: true` in the state. */
  text(): string {
    const { buffer, byteOffset, byteLength } = this.data
    return Buffer.from(buffer, byteOffset, byteLength).toString('utf8')
  }

  /** Throws when it is no JSON. */
  json(): unknown {
    return JSON.parse(this.text())
  }
}

/** Of a request. */
export class RequestBody extends FilterBody {
  /** With a buffered body its head can still be changed, and sent to another route or cluster. */
  readonly request: FilterRequest

  constructor(data: Uint8Array, last: boolean, request: FilterRequest) {
    super(data, last)
    this.request = request
  }
}

/** Of an answer. */
export class ResponseBody extends FilterBody {
  /** With a buffered body its head can still be changed. */
  readonly response: FilterResponse

  constructor(data: Uint8Array, last: boolean, response: FilterResponse) {
    super(data, last)
    this.response = response
  }
}

/** The bytes that take the place of a body's, or null when what was returned is something else. */
export function replacement(returned: unknown): Uint8Array | null {
  if (typeof returned === 'string') return Buffer.from(returned, 'utf8')
  return returned instanceof Uint8Array ? returned : null
}
