/** A request as a person writes it → the question that the engine is asked. */
import type { Question } from '../native/explanation.js'

export interface AskedRequest {
  method: string
  url: string
  headers: [name: string, value: string][]
  client: string
  listener: string | null
}

/** The URL is taken apart as it is written: resolving its dots here would hide what the proxy does with them. */
export function questionOf({ method, url, headers, client, listener }: AskedRequest): Question {
  const [, authority, target = ''] = /^(?:https?:\/\/([^/?#]*))?([^#]*)/i.exec(url) ?? []
  const named = headers.some(([name]) => name.toLowerCase() === 'host')
  const host: [string, string][] = named ? [] : [['host', authority ?? 'localhost']]
  return {
    method,
    target: target.startsWith('/') || target === '*' ? target : `/${target}`,
    headers: [...host, ...headers],
    client,
    listener,
  }
}

/** A header line as it is written; null when it is none. */
export function headerOf(line: string): [name: string, value: string] | null {
  const match = /^([^\s:]+)\s*:\s*(.*?)\s*$/.exec(line)
  return match === null ? null : [match[1] ?? '', match[2] ?? '']
}
