/**
 * The matches of a delegate's rule within those of the rule that delegates: each must ask for a part of what one of these
 * sends, as Istio has it. Of a prefix only longer prefixes and whole texts that begin with it are surely a part.
 */
import type { VirtualServiceMatch } from '../../resources/virtual-service.js'

type Text = VirtualServiceMatch['headers'][string]
type Texts = VirtualServiceMatch['headers']

/** `conflict`: the delegate's match that is a part of none. */
export interface MergedMatches {
  merged: VirtualServiceMatch[]
  conflict: number | null
}

export function mergeMatches(root: readonly VirtualServiceMatch[], own: readonly VirtualServiceMatch[]): MergedMatches {
  if (root.length === 0 || own.length === 0) return { merged: [...root, ...own], conflict: null }
  const fitting = own.map((match) => root.filter((wide) => isPart(match, wide)).map((wide) => merge(match, wide)))
  const conflict = fitting.findIndex((merged) => merged.length === 0)
  return { merged: fitting.flat(), conflict: conflict === -1 ? null : conflict }
}

function isPart(own: VirtualServiceMatch, root: VirtualServiceMatch): boolean {
  const sameCase = own.uri === undefined || root.uri === undefined || own.ignoreUriCase === root.ignoreUriCase
  return (
    sameCase &&
    (own.port === undefined || root.port === undefined || own.port === root.port) &&
    (['uri', 'scheme', 'method', 'authority'] as const).every((key) => isPartOfText(own[key], root[key])) &&
    (['headers', 'queryParams'] as const).every((key) => arePartsOf(own[key], root[key])) &&
    // Two of one header that must not be there cannot both be said.
    Object.entries(own.withoutHeaders).every(([name, text]) => isSame(text, root.withoutHeaders[name] ?? text))
  )
}

function arePartsOf(own: Texts, root: Texts): boolean {
  return Object.entries(own).every(([name, text]) => isPartOfText(text, root[name]))
}

/** What one of them says nothing of is a part; a text that only must be there includes all. */
function isPartOfText(own: Text | undefined, root: Text | undefined): boolean {
  if (own === undefined || root === undefined || isSame(root, {})) return true
  if (own.regex !== undefined || root.regex !== undefined) return false
  if (root.exact !== undefined) return own.exact === root.exact
  return (own.exact ?? own.prefix)?.startsWith(root.prefix ?? '') ?? false
}

function isSame(one: Text, other: Text): boolean {
  return one.exact === other.exact && one.prefix === other.prefix && one.regex === other.regex
}

function merge(own: VirtualServiceMatch, root: VirtualServiceMatch): VirtualServiceMatch {
  const { gateways, sourceLabels, sourceNamespace } = root
  const names = [root.name, own.name].filter((name) => name !== undefined)
  return {
    ...own,
    name: names.length === 0 ? undefined : names.join('-'),
    uri: own.uri ?? root.uri,
    ignoreUriCase: own.uri === undefined ? root.ignoreUriCase : own.ignoreUriCase,
    scheme: own.scheme ?? root.scheme,
    method: own.method ?? root.method,
    authority: own.authority ?? root.authority,
    headers: { ...root.headers, ...own.headers },
    withoutHeaders: { ...root.withoutHeaders, ...own.withoutHeaders },
    queryParams: { ...root.queryParams, ...own.queryParams },
    port: own.port ?? root.port,
    statPrefix: own.statPrefix ?? root.statPrefix,
    gateways,
    sourceLabels,
    sourceNamespace,
  }
}
