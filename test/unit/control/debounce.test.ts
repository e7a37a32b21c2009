import { describe, expect, it } from 'vitest'
import { debounce } from '../../../src/control/xds/debounce.js'

/** A clock that the test moves. */
function clock() {
  let now = 0
  let timers: { at: number; run: () => void }[] = []
  return {
    now: () => now,
    setTimer(run: () => void, ms: number) {
      const timer = { at: now + ms, run }
      timers.push(timer)
      return timer
    },
    clearTimer(timer: unknown) {
      timers = timers.filter((one) => one !== timer)
    },
    move(ms: number) {
      now += ms
      for (const timer of timers.filter(({ at }) => at <= now)) {
        timers = timers.filter((one) => one !== timer)
        timer.run()
      }
    },
  }
}

describe('a debounced task', () => {
  it('runs once when it has been quiet, and by the bound when it never is', () => {
    const time = clock()
    const runs: number[] = []
    const task = debounce(() => runs.push(time.now()), { quietMs: 100, maxMs: 1000, ...time })
    task.ask()
    time.move(60)
    task.ask()
    time.move(60)
    expect(runs).toEqual([])
    time.move(40)
    expect(runs).toEqual([160])
    for (let step = 0; step < 30; step += 1) {
      task.ask()
      time.move(50)
    }
    expect(runs).toEqual([160, 1160])
  })
})
