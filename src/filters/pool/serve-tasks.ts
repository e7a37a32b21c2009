/**
 * One thread of the pool: takes up calls, loads what they name and runs it.
 *
 * Invariants: nothing of a filter's is loaded before a call needs it, so that a thread always comes up; a filter that has
 * yielded is given up at its time budget, so that it holds no place of its thread; nothing here throws for what a filter
 * does, except that its module cannot be loaded.
 */
import { threadId, workerData } from 'node:worker_threads'
import { Board } from './board.js'
import type { PhaseCall, PoolAnswer, PoolScript, PoolTask, ThreadData } from './call.js'

/** Runs one phase of a loaded filter. Must not throw or reject. */
export type Runner = (call: PhaseCall) => PoolAnswer | Promise<PoolAnswer>

/** Null: nobody waits for it, or it was given up at its time budget. */
export type TaskAnswer = PoolAnswer | null

export function serveTasks(load: (script: PoolScript) => Promise<Runner>): (task: PoolTask) => Promise<TaskAnswer> {
  const board = new Board((workerData as ThreadData).board)
  const runners = new Map<number, Promise<Runner>>()
  return async ({ script, place, call }) => {
    if (!board.takeUp(place, threadId)) return null
    let runner = runners.get(script.id)
    if (runner === undefined) {
      runner = load(script)
      runners.set(script.id, runner)
      // What failed may work later: a network that a module needs at its start comes back.
      runner.catch(() => runners.delete(script.id))
    }
    const run = await runner
    if (call === null) return loaded
    board.begin(place)
    const answer = run(call)
    if (answer instanceof Promise) {
      board.yield(place)
      const late = await within(script.timeBudgetMs, answer)
      if (late === null) return null
      board.finish(place)
      return late
    }
    board.finish(place)
    return answer
  }
}

/** To a call that only loads. */
const loaded: PoolAnswer = { said: undefined, kept: undefined }

/** The answer, or null at the end of the budget. */
function within(budgetMs: number, answer: Promise<PoolAnswer>): Promise<TaskAnswer> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), budgetMs)
    void answer.then((value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}
