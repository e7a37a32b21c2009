/** Hosts as routes name them: a name, `*.suffix` or `*`, without a port. They are compared in lower case. */
import { isIP } from 'node:net'
import * as z from 'zod'

const label = /^[A-Za-z0-9_~-]{1,63}$/

/** Why a text is no host, in one sentence; null when it is one. */
export function hostFault(text: string): string | null {
  const bracketed = /^\[(.*)\]$/.exec(text)?.[1]
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? null : `[${bracketed}] is not an IPv6 address`
  if (isIP(text) === 6) return `write the IPv6 address in brackets: [${text}]`
  if (text.includes(':')) return 'a host carries no port'
  if (text.length > 255) return 'a host has at most 255 characters'
  if (text.split('.').every((part) => label.test(part))) return null
  return `${JSON.stringify(text)} is not a host: write names of letters, digits, - and _ with dots between them`
}

function patternFault(text: string): string | null {
  if (text === '*') return null
  const name = text.startsWith('*.') ? text.slice(2) : text
  if (name.includes('*')) return '`*` stands alone or as the whole first label: `*.suffix`'
  return hostFault(name)
}

function checked(faultOf: (text: string) => string | null) {
  return z
    .string()
    .superRefine((text, context) => {
      const message = faultOf(text)
      if (message !== null) context.addIssue({ code: 'custom', message })
    })
    .transform((text) => text.toLowerCase())
}

/** `name`, `*.suffix` or `*`. */
export function hostPattern() {
  return checked(patternFault).meta({ form: 'host, `*.suffix` or `*`' })
}

/** A host without a port. */
export function host() {
  return checked(hostFault).meta({ form: 'host' })
}

/** A host with an optional port. */
export function authority() {
  const split = /^(.*?)(?::(\d{1,5}))?$/
  return checked((text) => {
    const [, name = '', port = '1'] = isIP(text) === 6 ? [text, text] : (split.exec(text) ?? [])
    return Number(port) >= 1 && Number(port) <= 65_535 ? hostFault(name) : 'the port must be between 1 and 65535'
  }).meta({ form: 'host or host:port' })
}
