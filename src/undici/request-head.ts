/** What HTTP/1.1 writes for the options of a dispatch; what must not stand there is refused as undici does. */
import { stringify } from 'node:querystring'
import { type Dispatcher, errors } from 'undici'

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const unsafeTarget = /[^\x21-\x7e]/
const unsafeValue = /[^\t\x20-\x7e\x80-\xff]/

export interface RequestHead {
  /** The head with the empty line at its end, one character per byte. */
  text: string
  /** A body follows. */
  more: boolean
}

/** What is known of the body. */
export interface BodyKind {
  /** Its bytes; null when nobody knows before it has ended. */
  length: number | null
  contentType: string | null
}

/** Whether an empty body is announced as such (RFC 9110 section 8.6). */
const meansBody = new Set(['POST', 'PUT', 'PATCH', 'QUERY'])

export function requestHead(options: Dispatcher.DispatchOptions, body: BodyKind | null): RequestHead {
  const { method } = options
  if (typeof method !== 'string' || !token.test(method)) throw invalid('invalid request method')
  if (method === 'CONNECT' || options.upgrade) {
    throw new errors.NotSupportedError('the mesh does not upgrade or connect requests of its dispatcher')
  }
  const lines = new HeaderLines()
  eachHeader(options.headers, (name, value) => lines.add(name, value))
  let text = `${method} ${target(options)} HTTP/1.1\r\n`
  if (!lines.host) text += `host: ${hostOf(options.origin)}\r\n`
  text += lines.text
  if (body?.contentType != null && !lines.contentType) text += `content-type: ${body.contentType}\r\n`
  const length = body === null ? 0 : (body.length ?? lines.contentLength)
  if (lines.contentLength !== null && length !== lines.contentLength)
    throw new errors.RequestContentLengthMismatchError()
  if (length === null) text += 'transfer-encoding: chunked\r\n'
  else if (length > 0 || meansBody.has(method)) text += `content-length: ${length}\r\n`
  return { text: `${text}\r\n`, more: length !== 0 }
}

/** The announced length of a body whose own is not known; null when none is announced. */
export function announcedLength(head: string): number | null {
  const at = head.lastIndexOf('\r\ncontent-length: ')
  return at === -1 ? null : Number.parseInt(head.slice(at + 18), 10)
}

function target({ path, query }: Dispatcher.DispatchOptions): string {
  if (typeof path !== 'string' || !path.startsWith('/')) throw invalid('path must start with a slash')
  if (query != null && /[?#]/.test(path)) throw invalid('query params cannot be passed when the path has some already')
  const asked = query == null ? '' : stringify(query)
  const whole = asked === '' ? path : `${path}?${asked}`
  if (unsafeTarget.test(whole)) throw invalid('invalid request path')
  return whole
}

function hostOf(origin: Dispatcher.DispatchOptions['origin']): string {
  if (origin == null) throw invalid('an origin, or a host header, says which service is meant')
  const url = origin instanceof URL ? origin : parsed(origin)
  if (url.protocol !== 'http:') throw invalid(`the mesh takes http:// from within its process, not ${url.protocol}//`)
  return url.host
}

function parsed(origin: string): URL {
  try {
    return new URL(origin)
  } catch {
    throw invalid('invalid origin')
  }
}

/** The lines of the application; those that frame a message or belong to a connection are not its business. */
class HeaderLines {
  text = ''
  host = false
  contentType = false
  contentLength: number | null = null

  add(name: string, value: string): void {
    if (!token.test(name)) throw invalid(`invalid header key ${JSON.stringify(name)}`)
    if (unsafeValue.test(value)) throw invalid(`invalid ${name} header`)
    switch (name.toLowerCase()) {
      case 'content-length':
        if (this.contentLength !== null || !/^\d{1,15}$/.test(value)) throw invalid('invalid content-length header')
        this.contentLength = Number(value)
        return
      case 'connection':
        if (!/^(close|keep-alive)$/i.test(value)) throw invalid('invalid connection header')
        return
      case 'transfer-encoding':
      case 'keep-alive':
      case 'upgrade':
        throw invalid(`invalid ${name.toLowerCase()} header`)
      case 'expect':
        throw new errors.NotSupportedError('expect header not supported')
      case 'host':
        if (this.host) throw invalid('duplicate host header')
        this.host = true
        break
      case 'content-type':
        this.contentType = true
    }
    this.text += `${name}: ${value}\r\n`
  }
}

type Headers = Dispatcher.DispatchOptions['headers']

/** Every form in which undici takes headers: a flat list, pairs, an object whose values may be lists. */
function eachHeader(headers: Headers, add: (name: string, value: string) => void): void {
  if (headers == null) return
  if (typeof headers !== 'object') throw invalid('headers must be an object or an array')
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    if (headers.length % 2 !== 0) throw invalid('headers array must be even')
    for (let at = 0; at < headers.length; at += 2) addEach(String(headers[at]), headers[at + 1], add)
    return
  }
  if (Symbol.iterator in headers) {
    for (const pair of headers as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2) throw invalid('headers must be in key-value pair format')
      addEach(String(pair[0]), pair[1], add)
    }
    return
  }
  for (const [name, value] of Object.entries(headers)) addEach(name, value, add)
}

function addEach(name: string, value: unknown, add: (name: string, value: string) => void): void {
  if (value === undefined) return
  if (Array.isArray(value)) {
    for (const one of value) addEach(name, one, add)
  } else if (value === null) add(name, '')
  else if (typeof value === 'object' || typeof value === 'symbol' || typeof value === 'function') {
    throw invalid(`invalid ${name} header`)
  } else add(name, String(value))
}

function invalid(message: string): Error {
  return new errors.InvalidArgumentError(message)
}
