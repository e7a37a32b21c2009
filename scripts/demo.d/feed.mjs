// The feed of live events at the edge: a WebSocket that tells what happens, and one that listens as any browser could.
import { once } from 'node:events'
import { WebSocket } from 'ws'

export class Feed {
  told = 0
  heard = 0
  /** The last few that were heard. */
  recent = []
  #sockets = []
  #complete = () => {}

  /** Resolves when both are connected. */
  async open(url) {
    const [teller, listener] = [new WebSocket(url), new WebSocket(url)]
    this.#sockets = [teller, listener]
    listener.on('message', (data) => {
      this.heard += 1
      this.recent = [...this.recent, String(data)].slice(-6)
      if (this.heard === this.told) this.#complete()
    })
    listener.on('close', () => this.#complete())
    await Promise.all(this.#sockets.map((socket) => once(socket, 'open')))
    // One that breaks is closed, and then not everything was heard.
    for (const socket of this.#sockets) socket.on('error', () => {})
  }

  /** An event of the shop, to everybody who listens. */
  tell(event) {
    this.told += 1
    this.#sockets[0].send(event)
  }

  /** Resolves when what was told was heard, or has not come in time. */
  async close(patienceMs = 5_000) {
    const [, listener] = this.#sockets
    if (this.heard < this.told && listener.readyState === WebSocket.OPEN) {
      await new Promise((resolve) => {
        const late = setTimeout(resolve, patienceMs)
        this.#complete = () => {
          clearTimeout(late)
          resolve()
        }
      })
    }
    for (const socket of this.#sockets) socket.close(1000)
  }
}

/** What the rows of a second tell, one line for each thing worth telling. */
export function events(edge, rows) {
  return [`edge: ${edge.answers} answers/s, ${edge.failed} failed`, ...rows.flatMap(eventsOf)]
}

function eventsOf({ from, to, requests, failed, attempts, endpoints = [] }) {
  const where = from === undefined ? to : `${from} → ${to}`
  // Attempts of a request count from their begin: without a failure it is one that is still open.
  const retried = endpoints.some((endpoint) => endpoint.failed > 0) && attempts > requests
  return [
    ...(retried ? [`${where}: ${attempts - requests} retries`] : []),
    ...(failed > 0 ? [`${where}: ${failed} failed`] : []),
  ]
}
