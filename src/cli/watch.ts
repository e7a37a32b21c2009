/** Asking again and again, for what the API does not stream; a control plane that is away for a while ends nothing. */
import { WeftError } from '../errors.js'
import type { Session } from './session.js'

const everyMs = 1_000

/** What is answered, each time it is another than before as far as `essence` tells. Ends only with the process. */
export async function* changesOf<Answer>(
  { client, say }: Session,
  path: string,
  essence: (answer: Answer) => unknown,
): AsyncGenerator<Answer> {
  let last = ''
  let away = false
  for (;;) {
    const answer = await client.get<Answer>(path).catch((error: unknown) => {
      // Whoever has never been answered has the wrong address.
      if (last === '' || !(error instanceof WeftError) || error.code !== 'WEFT_CLIENT_UNREACHABLE') throw error
      if (!away) say(`${error.message}; trying again`)
      return null
    })
    away = answer === null
    const text = answer === null ? last : JSON.stringify(essence(answer))
    if (answer !== null && text !== last) yield answer
    last = text
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
