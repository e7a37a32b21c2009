/** A request as a filter sees it: read from the engine's text, changed by lines of text. */
import { Edits } from './edits.js'
import { HeaderLines } from './header-lines.js'
import { checkedValue } from './latin1.js'

/** Lines before the headers: request line, client, scheme. */
const linesBefore = 3

export class FilterRequest {
  readonly headers: HeaderLines
  private readonly text: string
  private readonly edits: Edits
  private changedTarget: string | null = null

  constructor(text: string, edits: Edits) {
    this.text = text
    this.edits = edits
    this.headers = new HeaderLines(text, linesBefore, edits)
  }

  get method(): string {
    return this.text.slice(0, this.text.indexOf(' '))
  }

  /** Normalised, without the query. */
  get path(): string {
    const { target } = this
    const at = target.indexOf('?')
    return at === -1 ? target : target.slice(0, at)
  }

  /** Routes match on what it is now; the query stays. */
  set path(path: string) {
    if (String(path).includes('?')) throw new TypeError('a path holds no query: set `query` as well')
    this.target = `${checkedValue(path, 'path')}${this.query === '' ? '' : `?${this.query}`}`
  }

  /** As written, without its `?`; empty where there is none. */
  get query(): string {
    const { target } = this
    const at = target.indexOf('?')
    return at === -1 ? '' : target.slice(at + 1)
  }

  set query(query: string) {
    this.target = `${this.path}${query === '' ? '' : `?${checkedValue(query, 'query')}`}`
  }

  /** Address of the client, behind trusted proxies where the listener has them; `unknown` on a unix socket. */
  get client(): string {
    return this.line(1)
  }

  /** `http` or `https`: how the client reached the proxy, or the first trusted one. */
  get scheme(): string {
    return this.line(2)
  }

  /** Takes this route whatever matches. In filters of listeners. */
  useRoute(name: string): void {
    this.edits.add(`r ${checkedValue(name, 'the name of a route')}`)
  }

  /** Takes this cluster in place of those that the route forwards to. In filters of listeners and routes. */
  useCluster(name: string): void {
    this.edits.add(`c ${checkedValue(name, 'the name of a cluster')}`)
  }

  private get target(): string {
    return this.changedTarget ?? this.text.slice(this.text.indexOf(' ') + 1, this.text.indexOf('\n'))
  }

  private set target(target: string) {
    this.edits.add(`p${target}`)
    this.changedTarget = target
  }

  private line(number: number): string {
    let start = 0
    for (let i = 0; i < number; i++) start = this.text.indexOf('\n', start) + 1
    return this.text.slice(start, this.text.indexOf('\n', start))
  }
}

/** A request whose phase is over: it can be read. */
export function pastRequest(text: string, changes: string): FilterRequest {
  const edits = new Edits('request', changes)
  edits.close()
  return new FilterRequest(text, edits)
}
