/** The registry `file`: a watched file of endpoints. */
import { WeftError } from '../errors.js'
import type { Registry } from './registry.js'
import { watchFiles } from './watch.js'

export const file: Registry = {
  type: 'file',
  follow({ cluster, watched }, sink, { readEndpoints }) {
    let last: Promise<void> = Promise.resolve()
    let open = true
    const read = async () => {
      try {
        const update = await readEndpoints(cluster, watched.path)
        if (open) sink.update(update)
      } catch (error) {
        if (open) sink.failed(error instanceof WeftError ? error : unread(watched.path, error as Error))
      }
    }
    // One after the other: of two changes the later one is the last word.
    const watch = watchFiles([watched], () => {
      last = last.then(read)
    })
    return {
      close() {
        open = false
        watch.close()
      },
    }
  },
}

function unread(path: string, cause: Error): WeftError {
  return new WeftError('WEFT_DISCOVERY_FILE', `${path} could not be read: ${cause.message}`, { cause })
}
