/** Where a configuration comes from, and what became of it. */
import type { ProxyConfig } from '../config/config.js'

/** A configuration as a value, or the file that holds it. Paths in a value are relative to the working directory. */
export type ConfigSource = ProxyConfig | { file: string }

/** What came of a new configuration. */
export interface Change {
  /** The one in force now. */
  generation: number
  /** It was in force already. */
  unchanged: boolean
  /** Why it was not put in force; empty when it was. */
  rejected: { path: string; code: string; message: string }[]
}
