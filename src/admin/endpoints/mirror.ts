/** `/mirror`: what became of copies of requests, and where their answers differ from those that clients got. */
import type { DiffReport, MirrorStats } from '../../native/index.js'
import { type AdminEndpoint, columns, jsonAnswer, textAnswer } from '../endpoint.js'

export const mirror: AdminEndpoint = {
  method: 'GET',
  path: '/mirror',
  about: 'copies of requests, and where their answers differ from those that clients got; ?format=json',
  answer({ proxy }, query) {
    const { mirrors } = proxy.stats()
    if (query.get('format') === 'json') return jsonAnswer(mirrors)
    if (mirrors.length === 0) return textAnswer('no route has a mirror\n')
    const names = ['route', 'mirror', 'percent', 'sent', 'answered', 'failed', 'dropped', 'under way']
    const rows = mirrors.map((m) => [
      m.route,
      m.cluster,
      m.percent,
      m.sent,
      m.answered,
      m.failed,
      m.dropped,
      m.underWay,
    ])
    return textAnswer(columns([names, ...rows]) + mirrors.map(found).join(''))
  },
}

function found({ route, cluster, diff }: MirrorStats): string {
  if (diff === null) return ''
  const { compared, controls, skipped, learning, differences } = diff
  const missed = skipped === 0 ? '' : `, ${skipped} not compared for want of room`
  const title = `\n${route} against ${cluster}: ${compared} answers compared, ${controls} requests repeated${missed}\n`
  if (learning) return `${title}  too few to tell noise from differences\n`
  const none = differences.length === 0 ? '  no difference\n' : ''
  return title + none + differenceRows(diff) + noiseRows(diff)
}

function differenceRows({ differences }: DiffReport): string {
  if (differences.length === 0) return ''
  const rows = differences.map(({ field, way, count, example }) => {
    const { request = '', primary = '', candidate = '' } = example ?? {}
    return [`  ${field}`, way, count, primary, candidate, request]
  })
  return columns([['  field', 'differs by', 'times', 'client got', 'mirror answered', 'first seen in'], ...rows])
}

function noiseRows({ noise }: DiffReport): string {
  if (noise.length === 0) return ''
  return `  not counted:\n${columns(noise.map(({ field, way, count, because }) => [`    ${field}`, way, count, because]))}`
}
