/** A thread of the pool whose filters are the misdeeds that its calls name. */
import { type Runner, serveTasks } from '../../src/filters/pool/serve-tasks.js'

const misdeeds: Record<string, (ms: number) => unknown> = {
  echo: () => undefined,
  spin: () => {
    for (;;);
  },
  exit: () => process.exit(3),
  'eat memory': () => {
    for (const eaten: unknown[] = []; ; ) eaten.push(new Array(1000).fill(Math.random()))
  },
  'throw later': () => {
    setImmediate(() => {
      throw new Error('thrown after the call')
    })
    return new Promise(() => {})
  },
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  'wait for ever': () => new Promise(() => {}),
  'wait, then spin': () => new Promise((resolve) => setTimeout(resolve, 1)).then(() => misdeeds.spin?.(0)),
}

const run: Runner = ({ text, kept }) => {
  const [misdeed = '', ms] = (text ?? '').split(': ')
  const done = misdeeds[misdeed]?.(Number(ms))
  const answer = { said: `${misdeed} done`, kept }
  return done instanceof Promise ? done.then(() => answer) : answer
}

export default serveTasks(async ({ url }) => {
  if (url === 'missing') throw new Error('there is no such module')
  if (url === 'loops') misdeeds.spin?.(0)
  return run
})
