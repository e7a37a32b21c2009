/** The shape of every source: it follows one place beside the API and tells which workloads a service has there. */
import type { Registration } from '../registration.js'

export interface Told {
  /** The whole set, each time something may have changed. */
  workloads(workloads: Registration[]): void
  /** It cannot be asked, or makes no sense: what is there stays. */
  failed(reason: string): void
}

/** What a service's source is, as configured. */
export interface SourceConfig {
  service: string
  namespace: string
  file?: { path: string } | undefined
  dns?: { name: string; port: number; refresh: number } | undefined
}

export interface Source {
  /** For the author of commits: `file reviews.yaml`. */
  name: string
  /** Follows until the returned function is called. */
  follow(told: Told): () => void
}
