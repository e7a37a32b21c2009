/** Delegation: a rule leaves its requests to a VirtualService without hosts, which says nothing of whose they are. */
import * as z from 'zod'
import { dnsName, namespace } from './kind.js'

export const delegate = z.strictObject({ name: dnsName(), namespace: namespace.optional() })

type Context = z.core.$RefinementCtx
type Texts = Record<string, { regex?: string | undefined }>

interface Match {
  uri?: { regex?: string | undefined } | undefined
  method?: { regex?: string | undefined } | undefined
  authority?: { regex?: string | undefined } | undefined
  scheme?: { regex?: string | undefined } | undefined
  headers: Texts
  withoutHeaders: Texts
  queryParams: Texts
}

/** Whether a delegate asks for a part of what its root sends cannot be told of regular expressions. */
export function delegatesByPlainText(rule: { delegate?: object | undefined; match: Match[] }, context: Context): void {
  if (rule.delegate === undefined) return
  for (const [at, match] of rule.match.entries())
    for (const path of regularExpressions(match))
      context.addIssue({
        code: 'custom',
        path: ['match', at, ...path, 'regex'],
        message: 'cannot stand beside delegate, which needs exact or prefix',
      })
}

function regularExpressions({ headers, withoutHeaders, queryParams, ...match }: Match): string[][] {
  const named = Object.entries({ headers, withoutHeaders, queryParams }).flatMap(([key, texts]) =>
    Object.entries(texts).map(([name, text]) => ({ path: [key, name], text })),
  )
  const plain = (['uri', 'method', 'authority', 'scheme'] as const).map((key) => ({ path: [key], text: match[key] }))
  return [...plain, ...named].filter(({ text }) => text?.regex !== undefined).map(({ path }) => path)
}

interface Delegate {
  gateways: string[]
  http: {
    delegate?: object | undefined
    match: { gateways?: unknown; sourceNamespace?: unknown; sourceLabels: object }[]
  }[]
  tls: unknown[]
  tcp: unknown[]
}

/** What a VirtualService without hosts may say: hosts, gateways and clients are those of the rule that delegates. */
export function delegatesHaveARoot({ gateways, http, tls, tcp }: Delegate, context: Context): void {
  const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message })
  if (http.length === 0) refuse(['hosts'], 'are needed where there is no rule in http')
  if (gateways.some((one) => one !== 'mesh')) refuse(['gateways'], 'are those of the rule that delegates here')
  for (const [key, rules] of Object.entries({ tls, tcp })) if (rules.length > 0) refuse([key], 'needs hosts')
  for (const [at, rule] of http.entries()) {
    if (rule.delegate !== undefined)
      refuse(['http', at, 'delegate'], 'cannot stand in a VirtualService without hosts: a delegate does not delegate')
    for (const [index, match] of rule.match.entries()) {
      const { gateways: own, sourceNamespace, sourceLabels } = match
      const path = ['http', at, 'match', index]
      const message = 'belongs to the rule that delegates here'
      if (own !== undefined) refuse([...path, 'gateways'], message)
      if (sourceNamespace !== undefined) refuse([...path, 'sourceNamespace'], message)
      if (Object.keys(sourceLabels).length > 0) refuse([...path, 'sourceLabels'], message)
    }
  }
}
