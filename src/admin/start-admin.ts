/** The admin server: a uWebSockets.js door on the main thread's loop, loaded only when the configuration names it. */
import { openDoor } from '../door/small-door.js'
import { WeftError } from '../errors.js'
import type { AdminContext } from './endpoint.js'
import { answerAdmin } from './router.js'

export interface AdminServer {
  port: number
  close(): void
}

/** Throws `WEFT_ADMIN_ADDRESS` when the address cannot be taken. */
export async function startAdmin({ address, ...context }: AdminContext & { address: string }): Promise<AdminServer> {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  try {
    return openDoor(host, Number(address.slice(colon + 1)), (request) => answerAdmin(context, request))
  } catch (cause) {
    throw new WeftError('WEFT_ADMIN_ADDRESS', `the admin server cannot listen on ${address}`, {
      path: 'admin.address',
      hint: 'is the port taken, or the address not of this machine?',
      cause,
    })
  }
}
