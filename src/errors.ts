/**
 * Every failure that Weft tells a person about: the codes, what each means, and the one error class that carries them.
 *
 * Invariants: a code is listed here before it is thrown; the text beside it is its documentation (the reference page
 * prints it); a message says what failed and where, the hint says what to do.
 */

export const codes = {
  WEFT_CONFIG_UNREADABLE: 'The configuration file cannot be read: it is missing, a directory, or permission is denied.',
  WEFT_CONFIG_UNPREPARED:
    'The thread that reads the configuration ended without an answer, out of memory or because a file of the installation is gone.',
  WEFT_CONFIG_SYNTAX: 'The configuration is not valid YAML; line and column say where reading stopped.',
  WEFT_CONFIG_INVALID: 'The configuration has one or more issues; each is listed with its path, code and line.',
  WEFT_CONFIG_TYPE: 'A value has the wrong type, such as text where a list is expected.',
  WEFT_CONFIG_VALUE: 'A value has the right type but is not allowed: out of range, or written in the wrong form.',
  WEFT_CONFIG_MISSING: 'A required value is absent.',
  WEFT_CONFIG_UNKNOWN_KEY: 'A key is not part of the configuration; the nearest known key is suggested.',
  WEFT_CONFIG_NOT_YET: 'A key or value is known by name but does not work yet in this version.',
  WEFT_CONFIG_DUPLICATE: 'Two entries that must differ have the same name or address.',
  WEFT_CONFIG_REFERENCE: 'An entry names a listener or a cluster that does not exist.',
  WEFT_CONFIG_VARIABLE:
    'A variable that the configuration names between `$` and braces is not set, or is not written as one.',
  WEFT_CONFIG_INCLUDE:
    'An `include` names a file that does not exist, that includes itself, or that is included already.',
  WEFT_DISCOVERY_FILE: 'A file of endpoints cannot be used; the cluster keeps the endpoints that it has.',
  WEFT_CONFIG_CONTRADICTION: 'Keys or conditions stand side by side that exclude each other.',
  WEFT_CONFIG_UNREACHABLE:
    'A route or one of its matches can never take a request, because another one takes all of them first.',
  WEFT_FILTER_MODULE: 'The module of a filter is missing, throws when it is loaded, or exports no filter.',
  WEFT_FILTER_OPTIONS: 'The options of a filter are not what its own schema takes.',
  WEFT_FILTER_ELSEWHERE:
    'TypeScript stands where it cannot run: in a thread that it cannot travel to, or without Node.',
  WEFT_SOCKET_MODULE:
    'A module of a socket cannot be loaded, does not export what defineSocket returns, or refuses its options; nothing was changed.',
  WEFT_SNAPSHOT_REJECTED: 'The engine refused a snapshot, for example because a port is taken; nothing was changed.',
  WEFT_SNAPSHOT_UNWRITABLE: 'The compiled snapshot cannot be written to the file that was asked for.',
  WEFT_ADDON_MISSING: 'The native engine was not found or cannot be loaded on this platform.',
  WEFT_UNPACK_FAILED: 'The one-file `weft` found no folder in which it may lay down the engine and load it from.',
  WEFT_WORKER_FAILED: 'A worker thread ended before it was ready to carry traffic.',
  WEFT_PROXY_CLOSED: 'A proxy was used after it had been closed.',
  WEFT_DISPATCHER_REFUSED:
    'A dispatcher was asked of a proxy that serves on threads or was closed, or for a listener that it does not have.',
  WEFT_APP_FAILED: 'The application given after `--` cannot be started.',
  WEFT_TAKEOVER_PATH: 'There is no folder of this user alone in which to wait for a takeover.',
  WEFT_TAKEOVER_FAILED: 'The running process could not be taken over; it goes on as before.',
  WEFT_ADMIN_UNREACHABLE: 'No admin server answers at the address that a command was given.',
  WEFT_PLAN_RECORDS: 'There are no recorded requests for `weft plan` to replay, or they cannot be read.',
  WEFT_SUGGEST_UNTOLD: 'The proxy does not tell what `weft suggest` reads: its statistics and its configuration.',
  WEFT_ROUTE_SWITCH: 'A route of a running proxy was not switched.',
  WEFT_MESH_CONFLICT: 'Two resources say different things about the same host or cluster; the older one holds.',
  WEFT_MESH_SHADOWED: 'A rule is never reached, because an earlier rule takes all of its requests.',
  WEFT_MESH_REFERENCE:
    'A resource names a service, port, subset or certificate that is not in the mesh or not allowed to it.',
  WEFT_MESH_NO_EFFECT: 'A part of a resource has no effect: what it needs is not there.',
  WEFT_MESH_UNSUPPORTED: 'A data plane cannot do what a resource asks for; there the resource is not in force.',
  WEFT_XDS_REFUSED:
    'A data plane refused a resource that it was sent (NACK); its last good version stays in force there.',
  WEFT_XDS_ADDRESS: 'The xDS server cannot listen on its address.',
  WEFT_BOOTSTRAP_INVALID: 'The options of `weft bootstrap` do not describe a data plane.',
  WEFT_ADMIN_ADDRESS: 'The admin server cannot listen on its address.',
  WEFT_STORE_KEY: 'A kind, namespace or name has a form that the store does not take.',
  WEFT_STORE_CONFLICT: 'A resource is not at the version that was expected; the message says who changed it and when.',
  WEFT_STORE_LOCKED: 'Another process has the data folder; two control planes never share one.',
  WEFT_STORE_CORRUPT: 'The beginning of the store is damaged or missing; starting empty would erase the mesh.',
  WEFT_STORE_UNWRITABLE: 'A change could not be made durable, for example because the disk is full; nothing changed.',
  WEFT_STORE_TOO_LARGE: 'One commit is larger than the store takes.',
  WEFT_STORE_UNREACHABLE: 'etcd does not answer: reads are served from memory, changes are refused.',
  WEFT_STORE_NOT_LEADER: 'Another replica leads; changes go to it, at the address in the message.',
  WEFT_STORE_COMPACTED: 'etcd has forgotten the revision that was asked for; everything is read again.',
  WEFT_STORE_REFUSED: 'etcd refused a request, for example for want of permission.',
  WEFT_STORE_CLOSED: 'The store was closed while a change was on its way.',
  WEFT_REGISTRY_UNKNOWN: 'A heartbeat or deregistration names a workload that is not registered.',
  WEFT_REGISTRY_EPOCH: 'A heartbeat or deregistration comes from an earlier registration of the same id.',
  WEFT_API_NOT_FOUND: 'The API has no such resource, workload, token or path.',
  WEFT_API_KIND: 'A kind is not known, or its short name means more than one.',
  WEFT_API_REQUEST: 'A request to the API has a wrong form: its method, its query or its body.',
  WEFT_API_TOO_LARGE: 'A request to the API is larger than its limit.',
  WEFT_API_FAILED: 'The API met a fault of its own; the log of the control plane says more.',
  WEFT_ACCESS_TOKEN: 'A request carries no proof of who asks, or a token that is unknown or has expired.',
  WEFT_ACCESS_FORBIDDEN: 'Whoever asks may not do this; the message says which role or namespace is missing.',
  WEFT_ACCESS_RATE: 'A caller asks more often than it may; the answer says when to try again.',
  WEFT_CONTROL_ADDRESS: 'The control plane cannot listen on its address.',
  WEFT_CONTROL_PLAIN: 'The control plane would be reachable from other machines without TLS.',
  WEFT_CONTROL_CERTIFICATE: 'A certificate or key of the control plane cannot be read or used.',
  WEFT_CA_KEY:
    'A key or certificate of the authority cannot be used: unreadable, open to others, locked by another passphrase, or not a pair.',
  WEFT_CA_REQUEST:
    'A certificate was asked for that is not given: a forged or repeated request, a name of somebody else, a revoked identity.',
  WEFT_CA_PROOF: 'Whoever asks for a certificate has not proved who it is.',
  WEFT_CA_STATE: 'The authority cannot do this now: there is none, its key is not here, or a rotation is under way.',
  WEFT_CA_FILES: 'A certificate, its key or the roots cannot be written to the folder that was asked for.',
  WEFT_CLIENT_UNREACHABLE: 'The control plane does not answer, or what answers is none.',
  WEFT_CLIENT_CONFIG: 'The file or the options that say where the control plane is cannot be used.',
} as const

export type Code = keyof typeof codes

/** One finding in a configuration. `path` is written like `routes[0].timeout`; `line` is 1-based, null when unknown. */
export interface Issue {
  path: string
  code: string
  message: string
  hint: string | null
  line: number | null
  /** Where it stands, when that is not the file that was asked for but one that it names. */
  file?: string
}

export interface WeftErrorDetails {
  path?: string
  hint?: string
  cause?: unknown
  issues?: Issue[]
}

/** The error that Weft throws. `issues` is filled where several findings are reported at once. */
export class WeftError extends Error {
  readonly code: Code
  readonly path: string | null
  readonly hint: string | null
  readonly issues: Issue[]

  constructor(code: Code, message: string, details: WeftErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.name = 'WeftError'
    this.code = code
    this.path = details.path ?? null
    this.hint = details.hint ?? null
    this.issues = details.issues ?? []
  }
}
