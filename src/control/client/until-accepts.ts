/** Waits until a port accepts connections. */
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

const pauseMs = 100

/** False when the signal came first. */
export async function untilAccepts(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await accepts(host, port)) return true
    await pause(pauseMs, undefined, { signal }).catch(() => {})
  }
  return false
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const end = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}
