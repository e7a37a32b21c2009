/**
 * Messages of the tables with a few bytes changed. Whatever they come to, what stands on the other side is well-formed,
 * and nobody else notices.
 */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Case, raw } from '../../conformance/case.js'
import { type Answer, CutByReset, readAnswer, readRequest, request } from '../../kit/h1-message.js'
import { Random } from '../../kit/random.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Truncated, Wire } from '../../kit/wire.js'

const seed = Number(process.env.WEFT_SEED ?? Date.now() % 1_000_000)
const rounds = 1_000
/** What hurts parsers most. */
const pieces = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '0',
  '1',
  'f',
  '\0',
  '\x7f',
  '\xff',
  '%',
  '/',
  '?',
  '#',
  'chunked',
]

let honest: ScriptedUpstream
let liar: ScriptedUpstream
let weft: Weft
let neighbour: Wire

beforeAll(async () => {
  honest = await ScriptedUpstream.open()
  honest.answerAll()
  liar = await ScriptedUpstream.open()
  weft = await startWeft({
    edge: { upstream: honest.port },
    liar: { upstream: liar.port, cluster: { keepAlive: { idleTimeout: 0 } } },
  })
  neighbour = await Wire.connect(weft.port('edge'))
})

afterEach(() => liar.clear())

afterAll(async () => {
  await weft.stop()
  await honest.close()
  await liar.close()
})

function table(name: string): string[] {
  const file = new URL(`../../conformance/${name}.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as Case[]).map(raw).filter(({ length }) => length > 0 && length < 2000)
}

/** One to three bytes or pieces replaced, inserted, removed or doubled. */
function mutate(text: string, random: Random): string {
  let mutated = text
  for (let times = 1 + random.below(3); times > 0; times -= 1) {
    const at = random.below(mutated.length + 1)
    const [before, after] = [mutated.slice(0, at), mutated.slice(at)]
    const removed = random.below(3)
    mutated = before + (random.below(4) === 0 ? '' : random.pick(pieces)) + after.slice(removed)
    if (random.below(8) === 0) mutated += mutated.slice(at)
  }
  return mutated
}

async function neighbourIsServed(): Promise<void> {
  await neighbour.send(request('GET /neighbour'))
  expect((await readAnswer(neighbour)).status).toBe(200)
}

/** Everything that the client is answered, read strictly. */
async function readAll(client: Wire): Promise<Answer[]> {
  const answers: Answer[] = []
  while (client.ending === 'open' || client.unread !== '') {
    try {
      answers.push(await readAnswer(client))
    } catch (error) {
      if (error instanceof Truncated && error.received === '') break
      throw error
    }
  }
  return answers
}

test(`changed requests (seed ${seed})`, async () => {
  const random = new Random(seed)
  // A HEAD among them would make answers that cannot be read without knowing which it was.
  const sources = table('h1-requests').filter((text) => !/HEAD/i.test(text))
  for (let round = 0; round < rounds; round += 1) {
    const text = mutate(random.pick(sources), random)
    const client = await Wire.connect(weft.port('edge'))
    await client.send(text)
    client.finish()
    const answers = await readAll(client).catch((error: unknown) => {
      throw new Error(`${error} for ${JSON.stringify(text)}`)
    })
    const forwarded = honest.seen.length
    honest.seen = []
    expect(answers.filter(({ status }) => status === 200).length, JSON.stringify(text)).toBe(forwarded)
    client.close()
    if (round % 10 === 0) {
      await neighbourIsServed()
      honest.seen = []
    }
  }
  expect(honest.malformed).toEqual([])
  expect((await weft.metrics()).get('weft_panics_total')).toBe(0)
})

test(`changed answers (seed ${seed})`, async () => {
  const random = new Random(seed)
  const sources = table('h1-answers')
  for (let round = 0; round < rounds; round += 1) {
    const text = mutate(random.pick(sources), random)
    const client = await Wire.connect(weft.port('liar'))
    await client.send(request('GET /'))
    const wire = await liar.next()
    await readRequest(wire)
    await wire.send(text)
    wire.finish()
    const outcome = await readAnswer(client).catch((error: unknown) => error)
    const clean = outcome instanceof Truncated || outcome instanceof CutByReset || 'status' in (outcome as object)
    expect(clean, `${outcome} for ${JSON.stringify(text)}`).toBe(true)
    client.close()
    wire.close()
    if (round % 10 === 0) await neighbourIsServed()
  }
  expect((await weft.metrics()).get('weft_panics_total')).toBe(0)
})
