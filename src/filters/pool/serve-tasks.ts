/**
 * One thread of the pool: takes up calls, loads what they name and runs it.
 *
 * Invariants: nothing of a filter's is loaded before a call needs it, so that a thread always comes up; a filter that has
 * yielded is given up at its time budget, so that it holds no place of its thread; nothing here throws for what a filter
 * does, except that its module cannot be loaded.
 */
import { threadId, workerData } from 'node:worker_threads'
import { Board } from './board.js'
import type { PhaseCall, PoolAnswer, PoolScript, PoolTask, TaskAnswer, ThreadData } from './call.js'

/** Runs one phase of a loaded filter. Must not throw or reject. */
export type Runner = (call: PhaseCall) => PoolAnswer | Promise<PoolAnswer>

interface Known {
  timeBudgetMs: number
  runner: Promise<Runner>
}

export function serveTasks(load: (script: PoolScript) => Promise<Runner>): (task: PoolTask) => Promise<TaskAnswer> {
  const board = new Board((workerData as ThreadData).board)
  const scripts = new Map<number, Known>()
  const learn = (script: PoolScript) => {
    const known = { timeBudgetMs: script.timeBudgetMs, runner: load(script) }
    scripts.set(script.id, known)
    // What failed may work later: a network that a module needs at its start comes back.
    known.runner.catch(() => scripts.delete(script.id))
    return known
  }
  return async ([place, id, script, phase, text = null, bytes = null, last = true, kept = null]) => {
    // Before it is taken up: a call that comes again is one that nobody has begun.
    if (script === null && !scripts.has(id)) return 'unknown'
    if (!board.takeUp(place, threadId)) return null
    const known = scripts.get(id) ?? (script === null ? null : learn(script))
    if (known === null) return null
    const run = await known.runner
    if (phase === undefined) return nothing
    board.begin(place)
    const answer = run({ phase, text, bytes, last, kept })
    if (!(answer instanceof Promise)) {
      board.finish(place)
      return [answer.said, answer.kept]
    }
    board.yield(place)
    const late = await within(known.timeBudgetMs, answer)
    if (late === null) return null
    board.finish(place)
    return [late.said, late.kept]
  }
}

/** To a call that only loads. */
const nothing: TaskAnswer = [undefined, null]

/** The answer, or null at the end of the budget. */
function within(budgetMs: number, answer: Promise<PoolAnswer>): Promise<PoolAnswer | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), budgetMs)
    void answer.then((value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}
