/** What a data plane is told at its start: who it is, and where the control plane is. Each program has its own form. */

export interface DataPlane {
  node: string
  service: string
  namespace: string
  /** Service account; empty: the service's name. */
  account: string
  labels: Record<string, string>
  region: string
  zone: string
  /** `host:port` of the xDS server. */
  control: string
  controlTls: ControlTls | null
}

/** Files for the connection to the control plane. */
export interface ControlTls {
  ca: string
  /** The data plane's own; both or none. */
  certificate: string | null
  key: string | null
}

export interface Address {
  host: string
  port: number
}

/** Null when the text is no `host:port`. */
export function splitAddress(text: string): Address | null {
  const match = /^(?:\[([\da-fA-F:]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  return match === null || port < 1 || port > 65_535 ? null : { host: match[1] ?? match[2] ?? '', port }
}

/** Key under which the xDS server finds its part of the metadata. */
const metadataKey = 'weft'

export function nodeJson(
  { node, service, namespace, account, labels, region, zone }: DataPlane,
  more: Record<string, string> = {},
) {
  const own = { namespace, ...(account === '' ? {} : { account }), labels, ...more }
  return {
    id: node,
    cluster: service,
    ...(region === '' && zone === '' ? {} : { locality: { region, zone } }),
    metadata: { [metadataKey]: own },
  }
}
