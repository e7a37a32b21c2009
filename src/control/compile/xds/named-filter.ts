/** A filter whose configuration comes apart from the listener that names it (extension discovery). */
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import type { Origin } from '../nouns.js'

export interface NamedFilter {
  name: string
  config: AnyJson
  origins: Origin[]
}
