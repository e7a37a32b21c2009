/**
 * Where a listener with the engine uws differs from the table of requests: what uWebSockets.js decides before the pipeline
 * sees anything. Every case that is not named here comes to the same as with the native engine, but for two rules: names of
 * header lines are lower case, and a refusal ends the connection only where its framing is in doubt.
 */

/**
 * `nothing`: no answer, nothing is forwarded, and the connection is of no further use. The others are forwarded:
 * `unread trailers` and `lenient chunks` with what the library made of the body, `without the line` that the case is about.
 */
export type Outcome = 'nothing' | 'unread trailers' | 'lenient chunks' | 'without the line'

export interface Difference {
  /** uWebSockets.js … */
  reason: string
  outcome: Outcome
  cases: readonly string[]
}

export const differences: readonly Difference[] = [
  {
    reason: 'does not read past bytes before a request line',
    outcome: 'nothing',
    cases: [
      'one empty line before the request is passed over',
      'four empty lines before the request are passed over',
      'five empty lines before the request are too many',
      'an empty line of a bare LF before the request',
      'a bare CR before the request',
      'white space before the method',
    ],
  },
  {
    reason: 'waits for more behind a request line that it cannot read',
    outcome: 'nothing',
    cases: [
      'a request line that ends in a bare LF',
      'a head of bare LFs',
      'a head that ends in a bare LF',
      'a request line that ends in a bare CR',
      'a request line that ends in CR CR LF',
      'two spaces before the target',
      'a tab before the target',
      'a space in the target',
      'a request line without a version',
      'a request line without a target',
      'the start of a TLS handshake',
      'a target with a nul',
      'a target with a bare LF',
    ],
  },
  {
    reason: 'waits for more behind a header line that it cannot read',
    outcome: 'nothing',
    cases: [
      'a last header line that ends in a bare LF',
      'a middle header line that ends in a bare LF',
      'a space before a colon',
      'a tab before a colon',
      'a space before the first header name',
      'a line of white space',
      'a folded line with a space',
      'a folded line with a tab',
      'a folded Transfer-Encoding',
      'a line without a colon',
      'a name with a space',
      'a name with a parenthesis',
      'a name with a nul',
      'a name that is not ASCII',
      'a name with a slash',
      'a value with a nul',
      'a value with a bare CR',
      'a value that ends in CR CR LF',
      'a value with an escape byte',
      'a value with a vertical tab',
      'a name with every token byte',
      'a negative length',
      'a space before the colon of Content-Length',
      'a space before the colon of Transfer-Encoding',
    ],
  },
  {
    reason: 'reads HTTP/1.1 alone',
    outcome: 'nothing',
    cases: [
      'two spaces before the version',
      'a tab before the version',
      'a space after the version',
      'the version HTTP/2.0',
      'the version HTTP/3.0',
      'the version HTTP/1.2',
      'the version HTTP/0.9',
      'the version HTTP/1.10',
      'the version HTTP/11',
      'the version HTTP/1,1',
      'the version HTTP/01.1',
      'the version HTTP/1.',
      'the version HTTP/1',
      'the version HTTP/',
      'the version HTP/1.1',
      'the version http/1.1',
      'the version HTTPS/1.1',
      'the version HTTP /1.1',
      'the preface of HTTP/2',
      'an absolute target in HTTP/1.0 without Host',
      'no Host in HTTP/1.1',
      'no Host in HTTP/1.0',
      'two Hosts in HTTP/1.0',
      'a length in HTTP/1.0',
      'chunked in HTTP/1.0',
      'an expectation in HTTP/1.0 is ignored',
      'HTTP/1.0 closes by default',
      'HTTP/1.0 with keep-alive',
      'HTTP/1.0 with keep-alive and close',
      'an upgrade in HTTP/1.0 is ignored',
    ],
  },
  {
    reason: 'knows the methods of RFC 9110 and PATCH, in upper case, and closes at others',
    outcome: 'nothing',
    cases: [
      'a request line without a method',
      'a method in lower case is another method',
      'a method that nobody registered is forwarded',
      'a method of every token byte',
      'a method with an at sign',
      'a method with a colon',
      'a method with a nul',
      'a method that is not ASCII',
    ],
  },
  {
    reason: 'takes 4 KiB and 48 lines of a head',
    outcome: 'nothing',
    cases: [
      'many lines that are larger together than a head may be',
      'more header lines than a head may have',
      'as many header lines as a head may have',
      'trailers that are larger than they may be',
    ],
  },
  {
    reason: 'reads targets that begin with a slash alone',
    outcome: 'nothing',
    cases: [
      'CONNECT with an authority',
      'a fragment after an absolute target',
      'a fragment after an authority',
      'a target without a slash',
      'a target that is a query',
      'a target that is a fragment',
      'an authority as the target of GET',
      'an asterisk as the target of OPTIONS',
      'an asterisk as the target of GET',
      'an asterisk and more as the target of OPTIONS',
      'an absolute target is forwarded as a path',
      'an absolute target without a path',
      'an absolute target with a query only',
      'an absolute target of OPTIONS without a path is the asterisk',
      'an absolute target of OPTIONS with a path',
      'an absolute target with an https scheme',
      'a scheme in upper case',
      'the authority of the target counts more than Host',
      'an absolute target with a missing Host',
      'an absolute target with an invalid Host',
      'an absolute target with two Hosts',
      'an absolute target of another scheme',
      'an absolute target without an authority',
      'an absolute target with one slash',
      'an absolute target with user information',
      'an absolute target with port 0',
      'an absolute target with port 65536',
      'an absolute target with an IPv6 address',
    ],
  },
  {
    reason: 'drops a line without a name',
    outcome: 'without the line',
    cases: ['a line without a name'],
  },
  {
    reason: 'takes bytes beyond ASCII at either end of a value for white space',
    outcome: 'without the line',
    cases: ['a value that is not ASCII'],
  },
  {
    reason: 'closes at a length that it cannot read, and at one beside a coding',
    outcome: 'nothing',
    cases: [
      'a length with a plus sign',
      'a length in hex',
      'a length followed by text',
      'a length with a fraction',
      'a length with a space inside',
      'a length in quotes',
      'a length over 2^64',
      'a length over 2^63',
      'a length of forty digits',
      'a list of equal lengths',
      'a list of lengths',
      'a length followed by a comma',
      'a length followed by a semicolon',
      'a length beside chunked',
      'chunked beside a length',
      'a length of zero beside chunked',
      'a length beside an unknown coding',
      'chunked after a vertical tab',
    ],
  },
  {
    reason: 'closes at, or waits behind, chunks that it cannot read',
    outcome: 'nothing',
    cases: [
      'chunk extensions are dropped',
      'a chunk size with a sign',
      'a negative chunk size',
      'a chunk size with 0x',
      'a chunk size that is not hex',
      'a chunk size with an underscore',
      'a chunk size over 2^60',
      'a chunk size that ends in a bare CR',
      'an extension that ends in a bare LF',
      'an extension with a bare CR',
      'an extension with a nul',
      'endless chunk extensions',
    ],
  },
  {
    reason: 'reads no trailers: they are dropped, whatever they say, and the connection serves nothing further',
    outcome: 'unread trailers',
    cases: [
      'trailers are forwarded',
      'trailers that would change framing or routing are dropped',
      'a trailer section that ends in a bare LF',
      'a trailer line that ends in a bare LF',
      'a trailer with a bare CR',
      'a folded trailer',
      'a trailer without a colon',
      'a trailer with a space before its colon',
      'a trailer with a nul',
      'Trailer is forwarded',
    ],
  },
  {
    reason: 'takes a chunk as it likes; what enters the pipeline is framed anew',
    outcome: 'lenient chunks',
    cases: [
      'a chunk without a size',
      'a space before a chunk size',
      'a space after a chunk size',
      'a chunk size that ends in a bare LF',
      'a chunk longer than its size',
      'a chunk shorter than its size',
      'a chunk that ends in a bare LF',
      'a chunk that ends in a bare CR',
    ],
  },
  {
    reason: 'asks no upstream for another protocol: WebSockets are sockets of the listener',
    outcome: 'without the line',
    cases: ['an upgrade is forwarded'],
  },
]

const byCase = new Map(differences.flatMap((difference) => difference.cases.map((name) => [name, difference] as const)))

export function differenceOf(name: string): Difference | null {
  return byCase.get(name) ?? null
}

/**
 * What of an answer passes the door: uWebSockets.js sends no trailers, and says `100 Continue` itself. Besides, it writes
 * the date, the length and the coding, in its own spelling.
 */
export function asDoorAnswers({ informational = [] }: { informational?: number[] }) {
  return { trailers: '', informational: informational.filter((status) => status !== 100) }
}
