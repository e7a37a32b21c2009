/** Ranges of IP addresses as resources write them: `10.0.0.0/8`, `2001:db8::/32`, or one address. */
import { isIP } from 'node:net'
import * as z from 'zod'

export interface Subnet {
  family: 4 | 6
  /** The address without the bits that are the host's. */
  bits: bigint
  length: number
}

export const subnet = z.string().refine((text) => parseSubnet(text) !== null, {
  error: 'must be an IP address or a range such as 10.0.0.0/8',
})

export function parseSubnet(text: string): Subnet | null {
  const [address = '', written, ...more] = text.split('/')
  const family = isIP(address)
  if ((family !== 4 && family !== 6) || more.length > 0 || address.includes('%')) return null
  const width = family === 4 ? 32 : 128
  if (written !== undefined && !/^\d{1,3}$/.test(written)) return null
  const length = written === undefined ? width : Number(written)
  if (length > width) return null
  const host = BigInt(width - length)
  const bits = family === 4 ? fromParts(address.split('.').map(Number), 8) : fromParts(wordsOf(address), 16)
  return { family, bits: (bits >> host) << host, length }
}

/** Equal texts mean equal ranges. */
export function formatSubnet({ family, bits, length }: Subnet): string {
  if (family === 4) return `${toParts(bits, 4, 8).join('.')}/${length}`
  const words = toParts(bits, 8, 16).map((word) => word.toString(16))
  return `${new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1)}/${length}`
}

/** Whether each address of the one is one of the other. */
export function includesSubnet(wide: Subnet, narrow: Subnet): boolean {
  if (wide.family !== narrow.family || wide.length > narrow.length) return false
  const host = BigInt((wide.family === 4 ? 32 : 128) - wide.length)
  return wide.bits >> host === narrow.bits >> host
}

/** The URL parser writes IPv4 in IPv6 as words, and leaves only `::` to be filled. */
function wordsOf(address: string): number[] {
  const [left = '', right = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [before, after] = [left, right].map((part) => part.split(':').filter((word) => word !== ''))
  const [head = [], tail = []] = [before, after]
  const zeros = Array<string>(8 - head.length - tail.length).fill('0')
  return [...head, ...zeros, ...tail].map((word) => Number.parseInt(word, 16))
}

function fromParts(parts: number[], width: number): bigint {
  return parts.reduce((sum, part) => (sum << BigInt(width)) | BigInt(part), 0n)
}

function toParts(bits: bigint, count: number, width: number): number[] {
  const mask = (1n << BigInt(width)) - 1n
  return Array.from({ length: count }, (_, index) => Number((bits >> BigInt((count - 1 - index) * width)) & mask))
}
