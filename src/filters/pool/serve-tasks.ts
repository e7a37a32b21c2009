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

/** What nobody waits for. */
const nothing: PoolAnswer = { said: undefined, kept: undefined }

export function serveTasks(load: (script: PoolScript) => Promise<Runner>): (task: PoolTask) => Promise<PoolAnswer> {
  const board = new Board((workerData as ThreadData).board)
  const runners = new Map<number, Promise<Runner>>()
  return async ({ script, place, call }) => {
    if (!board.takeUp(place, threadId)) return nothing
    let runner = runners.get(script.id)
    if (runner === undefined) {
      runner = load(script)
      runners.set(script.id, runner)
      // What failed may work later: a network that a module needs at its start comes back.
      runner.catch(() => runners.delete(script.id))
    }
    const run = await runner
    if (call === null) return nothing
    board.begin(place)
    const answer = run(call)
    if (!(answer instanceof Promise)) return answer
    board.yield(place)
    return within(script.timeBudgetMs, answer)
  }
}

/** What a filter over its budget has said: that it failed, for a traffic thread under load may not have noticed yet. */
const late: PoolAnswer = { said: '?it took longer than its `timeBudget`', kept: undefined }

/** The answer, or a failure at the end of the budget. */
function within(budgetMs: number, answer: Promise<PoolAnswer>): Promise<PoolAnswer> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(late), budgetMs + 5)
    void answer.then((value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}
