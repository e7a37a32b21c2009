/**
 * A root gives way to another while traffic goes on: the new one is trusted first, by everybody; then it issues; the old
 * one goes when the last certificate that it has issued has ended.
 *
 * Invariants: where a rotation stands is in the store, so it goes on after a restart and on another replica; only the
 * leader takes steps; which step is next is a pure decision.
 */
import { WeftError } from '../../errors.js'
import { iso } from './chain.js'
import { type Authority, type AuthorityChange, keptOf, noKeyHint, type TrustSet } from './trust-set.js'

export type Step = { do: 'nothing' } | { do: 'wait'; why: string } | { do: 'switch' } | { do: 'drop'; id: string }

export interface Situation {
  nowMs: number
  settleMs: number
  /** Who has not taken the present roots yet, or is away and had a certificate. */
  waiting: readonly string[]
}

export function nextStep(
  authorities: readonly Pick<Authority, 'id' | 'state' | 'sinceMs' | 'untilMs'>[],
  { nowMs, settleMs, waiting }: Situation,
): Step {
  const adding = authorities.find(({ state }) => state === 'adding')
  if (adding !== undefined) {
    const restMs = adding.sinceMs + settleMs - nowMs
    if (waiting.length > 0) return { do: 'wait', why: `the new root is not taken yet by ${few(waiting)}` }
    if (restMs > 0) return { do: 'wait', why: `the new root is trusted, readers of files get ${seconds(restMs)} more` }
    return { do: 'switch' }
  }
  const retiring = authorities.find(({ state }) => state === 'retiring')
  if (retiring === undefined) return { do: 'nothing' }
  const untilMs = retiring.untilMs ?? nowMs
  if (nowMs >= untilMs) return { do: 'drop', id: retiring.id }
  return { do: 'wait', why: `certificates of the old root last until ${iso(untilMs)}` }
}

export interface RotationOptions {
  trust: TrustSet
  settleMs: number
  leafMs: number
  nowMs: () => number
  /** When the last certificate of an authority ends, as far as this replica has issued it. */
  lastEndMs: (authority: string) => number
  waiting: () => readonly string[]
  isLeading: () => boolean
  /** Takes away the files of one that is trusted no more. */
  dropped: (id: string) => void
  say: (message: string) => void
}

const stepMs = 250

export class Rotation {
  private readonly options: RotationOptions
  private readonly timer: NodeJS.Timeout
  private stepping = false

  constructor(options: RotationOptions) {
    this.options = options
    this.timer = setInterval(() => {
      if (options.isLeading())
        void this.step().catch((error: Error) => options.say(`the rotation waits: ${error.message}`))
    }, stepMs)
  }

  /** What comes next, and why not yet. */
  next(): Step {
    const { trust, nowMs, settleMs, waiting } = this.options
    return nextStep(trust.all(), { nowMs: nowMs(), settleMs, waiting: waiting() })
  }

  /** Throws `WEFT_CA_STATE` while another rotation is under way. */
  demandNone(): void {
    const step = this.next()
    if (step.do === 'nothing') return
    const why = step.do === 'wait' ? step.why : 'its next step is about to be taken'
    throw new WeftError('WEFT_CA_STATE', `a rotation is under way: ${why}`, {
      hint: 'wait for it, or go on without waiting: weft ca rotate --force',
    })
  }

  async begin(made: Pick<Authority, 'id' | 'root' | 'chain' | 'own'>, by: string): Promise<void> {
    const { trust, nowMs } = this.options
    const value = { ...made, state: 'adding' as const, sinceMs: nowMs(), untilMs: null }
    await trust.commit(by, 'ca rotate', [{ id: made.id, value, expect: 0 }])
  }

  /** Takes the next step whether or not everybody is ready for it. Returns what was done. */
  async force(by: string): Promise<Step> {
    const { trust, nowMs } = this.options
    const adding = trust.inState('adding')
    const retiring = trust.inState('retiring')
    if (adding !== null) return this.take({ do: 'switch' }, by)
    if (retiring !== null) return this.take({ do: 'drop', id: retiring.id }, by)
    throw new WeftError('WEFT_CA_STATE', `there is no rotation to go on with at ${iso(nowMs())}`, {
      hint: 'begin one: weft ca rotate',
    })
  }

  close(): void {
    clearInterval(this.timer)
  }

  private async step(): Promise<void> {
    if (this.stepping) return
    this.stepping = true
    try {
      const step = this.next()
      if (step.do === 'switch' || step.do === 'drop') await this.take(step, 'control')
    } finally {
      this.stepping = false
    }
  }

  private async take(step: Step, by: string): Promise<Step> {
    const { trust, say, dropped } = this.options
    const adding = trust.inState('adding')
    if (step.do === 'switch' && adding !== null) {
      if (adding.signer === null) {
        throw new WeftError('WEFT_CA_STATE', `the key of the new authority ${adding.id} does not lie here`, {
          hint: noKeyHint(adding.id),
        })
      }
      await trust.commit(by, 'ca rotate: the new root issues', this.switched(adding))
      say(`the authority ${adding.id} issues from now on`)
    }
    const retiring = step.do === 'drop' ? trust.all().find(({ id }) => id === step.id) : undefined
    if (retiring !== undefined) {
      await trust.commit(by, 'ca rotate: the old root is trusted no more', [
        { id: retiring.id, value: null, expect: retiring.version },
      ])
      dropped(retiring.id)
      say(`the authority ${retiring.id} is trusted no more`)
    }
    return step
  }

  private switched(adding: Authority): AuthorityChange[] {
    const { trust, nowMs, leafMs, settleMs, lastEndMs } = this.options
    const now = nowMs()
    const issues: AuthorityChange = {
      id: adding.id,
      value: { ...keptOf(adding), state: 'issuing', sinceMs: now },
      expect: adding.version,
    }
    const old = trust.inState('issuing')
    if (old === null) return [issues]
    // Another replica may issue with it for a moment still.
    const untilMs = Math.max(now + leafMs, lastEndMs(old.id)) + settleMs
    return [
      { id: old.id, value: { ...keptOf(old), state: 'retiring', sinceMs: now, untilMs }, expect: old.version },
      issues,
    ]
  }
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`
}
