/** The shape of every registry: it follows one source and tells what its endpoints are. */
import type { Watched } from '../config/files/signature.js'
import type { WeftError } from '../errors.js'

/** Where the endpoints of a cluster come from, as the configuration in force says. */
export interface Source {
  cluster: string
  type: 'file'
  /** Absolute path, as it was when the configuration was prepared. */
  watched: Watched
}

/** Whom a registry tells. */
export interface Sink {
  /** An encoded `EndpointUpdate`: what the engine takes. */
  update(update: Uint8Array): void
  /** The source cannot be asked or makes no sense; the cluster keeps what it has. */
  failed(error: WeftError): void
}

/** What a registry needs of the process around it. */
export interface Surroundings {
  /** Reads a file of endpoints where it may take memory and time, and encodes it as the whole set of a cluster. */
  readEndpoints(cluster: string, path: string): Promise<Uint8Array>
}

export interface Registry {
  type: Source['type']
  /** Follows a source until it is closed. Never throws. */
  follow(source: Source, sink: Sink, surroundings: Surroundings): { close(): void }
}
