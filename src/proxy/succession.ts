/** Both sides of a takeover as a `weft run` process lives them. The words between the two stand in `takeover.ts`. */
import type { WeftError } from '../errors.js'
import type { Logger } from '../telemetry/logger.js'
import type { AdminDoor } from './admin-door.js'
import type { Ending } from './ending.js'
import type { RunningProxy } from './start-proxy.js'
import type { TakeoverDoor } from './takeover.js'
import { takeoverPath } from './takeover-path.js'

/** This process serves already, beside the old one: takes the admin address and lets the old one drain. */
export async function succeed(path: string, proxy: RunningProxy, admin: AdminDoor, logger: Logger): Promise<void> {
  const { Succession } = await import('./takeover.js')
  const before = await Succession.begin(path)
  try {
    await before.releaseAdmin()
    await admin.open()
    proxy.carry(await before.drain())
  } catch (error) {
    before.close()
    throw error
  }
  logger.info('took over from the running process, which drains')
  void before.ended().then((counts) => {
    if (counts === null) logger.warn('the process before this one ended without its last counts')
    else proxy.carry(counts)
  })
}

/** Waits for a successor. Without a place to wait in, the process runs all the same. */
export async function awaitSuccessor(
  file: string,
  proxy: RunningProxy,
  admin: AdminDoor,
  ending: Ending,
  logger: Logger,
): Promise<TakeoverDoor | null> {
  try {
    const { openTakeoverDoor } = await import('./takeover.js')
    return await openTakeoverDoor(await takeoverPath(file), {
      sendSockets: (descriptor) => proxy.sendSockets(descriptor),
      releaseAdmin: async () => admin.close(),
      resumeAdmin: () => admin.open().catch((error) => logger.error(`no admin server: ${(error as Error).message}`)),
      counts: () => proxy.counts(),
      drain: async (successor) => {
        logger.info('taken over', { successor })
        ending.start()
        await ending.drained
      },
    })
  } catch (error) {
    logger.warn(`this process cannot be taken over: ${(error as Error).message}`, { hint: (error as WeftError).hint })
    return null
  }
}
