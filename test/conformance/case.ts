/** The shape of a case, as README.md explains it, for tests that play the tables over sockets. */

export interface Case {
  name: string
  rfc: string
  raw: string | (string | [string, number])[]
  expect: 'forward' | 'ok' | 'abort' | 'wait' | number
  closes: boolean
  method?: string
  line?: string
  has?: string[]
  lacks?: string[]
  body?: string
  trailers?: string
  informational?: number[]
  end?: boolean
}

/** The bytes of a case, as latin-1 text. */
export function raw({ raw }: Case): string {
  if (typeof raw === 'string') return raw
  return raw.map((piece) => (typeof piece === 'string' ? piece : piece[0].repeat(piece[1]))).join('')
}
