/**
 * What the processes on one store tell each other beside the state: small values that are gone with whoever said them,
 * without revision and without history.
 */
import type { Value } from './store.js'

export interface Replicas {
  /** The name of this one. */
  id: string
  /** Says it until it is said anew; null takes it back. While the store cannot be reached it is said later. */
  tell(part: string, value: Value | null): void
  /** What the others say: by replica, then by part. */
  told(): ReadonlyMap<string, ReadonlyMap<string, Value>>
  /** Calls back after another one said something, or was gone; the returned function ends it. */
  onTold(listener: () => void): () => void
}
