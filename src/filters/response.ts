/** An answer as a filter sees it: the upstream's, or one that the proxy or a filter made. */
import type { Edits } from './edits.js'
import { HeaderLines } from './header-lines.js'
import type { FilterRequest } from './request.js'

/** The status. */
const linesBefore = 1

export class FilterResponse {
  readonly headers: HeaderLines
  private readonly text: string
  private readonly edits: Edits
  private readonly readRequest: () => FilterRequest
  private changedStatus: number | null = null
  private knownRequest: FilterRequest | null = null

  constructor(text: string, edits: Edits, readRequest: () => FilterRequest) {
    this.text = text
    this.edits = edits
    this.readRequest = readRequest
    this.headers = new HeaderLines(text, linesBefore, edits)
  }

  get status(): number {
    return this.changedStatus ?? Number(this.text.slice(0, this.text.indexOf('\n')))
  }

  /** From 200 to 599; between 204 or 304 and all others it cannot change, for only the others have a body. */
  set status(status: number) {
    if (!Number.isInteger(status)) throw new TypeError(`the status must be a whole number, not ${status}`)
    this.edits.add(`s ${status}`)
    this.changedStatus = status
  }

  /** The request that it answers, as this filter left it. */
  get request(): FilterRequest {
    this.knownRequest ??= this.readRequest()
    return this.knownRequest
  }
}
