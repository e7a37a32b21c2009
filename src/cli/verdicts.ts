/** Waiting until the data planes have said what they make of a revision, with progress where a person looks on. */
import { type Command, InvalidArgumentError } from 'commander'
import type { Session } from './session.js'

export interface Verdict {
  node: string
  state: 'applied' | 'refused' | 'pending'
  refusals: { resource: string | null; path: string | null; message: string }[]
}

export function addWaitOption(command: Command): Command {
  return command.option('--wait <seconds>', 'how long to wait for the data planes; 0 does not wait', seconds, 30)
}

function seconds(text: string): number {
  const value = Number(text.replace(/s$/, ''))
  if (text === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('give seconds, such as 30 or 30s.')
  return value
}

/** The last verdicts before all had spoken or the time was up. */
export async function waitForVerdicts(session: Session, revision: number, seconds: number): Promise<Verdict[]> {
  let last: Verdict[] = []
  const showsProgress = process.stderr.isTTY === true && session.format === 'table'
  const signal = AbortSignal.timeout(seconds * 1_000)
  for await (const { verdicts } of session.client.lines<{ verdicts: Verdict[] }>(`/v1/verdicts/${revision}`, signal)) {
    last = verdicts
    const done = verdicts.filter(({ state }) => state !== 'pending').length
    if (showsProgress) process.stderr.write(`\r\u001b[Kwaiting: ${done} of ${verdicts.length} data planes`)
  }
  if (showsProgress) process.stderr.write('\r\u001b[K')
  return last
}

/** `applied on 11 of 12 data planes, 1 refused`. */
export function describeVerdicts(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return 'kept; no data plane is connected that it concerns'
  const count = (state: Verdict['state']) => verdicts.filter((verdict) => verdict.state === state).length
  const [refused, pending] = [count('refused'), count('pending')]
  const rest = [refused > 0 ? `${refused} refused` : '', pending > 0 ? `${pending} have not answered` : '']
  const others = rest.filter((text) => text !== '').join(', ')
  const planes = `data plane${verdicts.length === 1 ? '' : 's'}`
  return `applied on ${count('applied')} of ${verdicts.length} ${planes}${others === '' ? '' : `, ${others}`}`
}
