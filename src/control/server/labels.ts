/** `name=value`, several with commas: all must fit; a name alone asks for any value. */
import type { Entry } from '../store/store.js'

export const labelsDescription = '`name=value`, several with commas; all must fit'

export function labelFilter(labels: string | undefined): (entry: Entry | null) => boolean {
  const wanted = (labels ?? '').split(',').filter((pair) => pair !== '')
  return (entry) => {
    if (entry === null) return false
    const { labels = {} } = (entry.value.metadata ?? {}) as { labels?: Record<string, string> }
    return wanted.every((pair) => {
      const at = pair.indexOf('=')
      return at === -1 ? pair in labels : labels[pair.slice(0, at)] === pair.slice(at + 1)
    })
  }
}
