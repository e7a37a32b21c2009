/** `/explain`: where a request would go and why, by what is served now; nothing is sent. */
import type { Question } from '../../native/explanation.js'
import { describeAnswer } from '../../telemetry/explanation-text.js'
import { headerOf, questionOf } from '../../telemetry/question.js'
import { type AdminEndpoint, jsonAnswer, textAnswer } from '../endpoint.js'

export const explain: AdminEndpoint = {
  method: 'GET',
  path: '/explain',
  about:
    'where a request would go and why; ?url=http://host/path method=GET header=name:value listener= client= format=json',
  answer({ proxy }, query) {
    const question = read(query)
    if (typeof question === 'string') return textAnswer(`${question}\n`, 400)
    const answers = proxy.explain(question)
    if (query.get('format') === 'json') return jsonAnswer(answers)
    return textAnswer(`${answers.map((answer) => describeAnswer(answer)).join('\n\n')}\n`)
  },
}

/** The question, whole or in parts, or what is wrong with it. */
function read(query: URLSearchParams): Question | string {
  const whole = query.get('question')
  if (whole !== null) return JSON.parse(whole) as Question
  const url = query.get('url')
  if (url === null) return 'url is missing: the request, such as http://reviews/path'
  const headers = query.getAll('header').map(headerOf)
  if (headers.includes(null)) return 'header must be written as name: value'
  return questionOf({
    method: query.get('method') ?? 'GET',
    url,
    headers: headers.filter((header) => header !== null),
    client: query.get('client') ?? '127.0.0.1',
    listener: query.get('listener'),
  })
}
