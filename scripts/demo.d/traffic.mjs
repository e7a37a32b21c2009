// Steady traffic at the edge, an open loop: a request is due at its time whether or not earlier ones were answered, and
// its latency counts from then.
import { build } from 'hdr-histogram-js'
import { Pool } from 'undici'

const users = 200

export class Traffic {
  requests = 0
  failed = 0
  firstFailure = null
  window = histogram()
  #pool
  #perSecond
  #open = new Set()
  #timer = null
  #versions = new Map()
  #look

  /** `look` is shown each page, with whose it is. */
  constructor(url, perSecond, look = () => {}) {
    this.#look = look
    this.#pool = new Pool(url, { connections: 64 })
    this.#perSecond = perSecond
  }

  start() {
    const begun = performance.now()
    let due = 0
    this.#timer = setInterval(() => {
      const elapsed = performance.now() - begun
      for (; due <= (elapsed / 1000) * this.#perSecond; due += 1) {
        const request = this.#exchange(due, begun + (due / this.#perSecond) * 1000)
        this.#open.add(request)
        void request.then(() => this.#open.delete(request))
      }
    }, 2)
  }

  /** Resolves when every request that was begun has ended. */
  async stop() {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    await this.#pool.close()
  }

  /** Milliseconds below which so many percent of the answers of the last window came; then a new window begins. */
  takeWindow() {
    const { window } = this
    this.window = histogram()
    const ms = (percent) => window.getValueAtPercentile(percent) / 1000
    return { answers: window.totalCount, p50: ms(50), p99: ms(99) }
  }

  /** A user gets the frontend that the edge's filter says, and always the same one. */
  #check(user, { version, variant }) {
    if (version !== (variant === 'b' ? 'v2' : 'v1')) throw new Error(`${user} is ${variant} and got ${version}`)
    const before = this.#versions.get(user) ?? version
    this.#versions.set(user, version)
    if (before !== version) throw new Error(`${user} had ${before} and got ${version}`)
  }

  async #exchange(number, dueAt) {
    this.requests += 1
    try {
      const headers = { 'end-user': `user-${number % users}` }
      const { statusCode, body } = await this.#pool.request({ path: '/', method: 'GET', headers })
      const page = await body.json()
      if (statusCode !== 200 || page.reviews?.version === undefined)
        throw new Error(`status ${statusCode}: ${page.error}`)
      this.#check(headers['end-user'], page)
      this.#look(headers['end-user'], page)
      this.window.recordValue(Math.max(1, Math.round((performance.now() - dueAt) * 1000)))
    } catch (error) {
      this.failed += 1
      this.firstFailure ??= error instanceof Error ? error.message : String(error)
    }
  }
}

function histogram() {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
}
