/** POST `/logging`: how much the process tells of itself on standard error; access logs are not touched. */
import { levels } from '../../telemetry/logger.js'
import { type AdminEndpoint, textAnswer } from '../endpoint.js'

export const logging: AdminEndpoint = {
  method: 'POST',
  path: '/logging',
  about: `the level of the operational log; ?level=${levels.join('|')} changes it`,
  answer({ logger }, query) {
    const asked = query.get('level')
    const level = levels.find((known) => known === asked)
    if (asked !== null && level === undefined) {
      return textAnswer(`there is no level ${JSON.stringify(asked)}; known: ${levels.join(', ')}\n`, 400)
    }
    if (level !== undefined) logger.level = level
    return textAnswer(`${logger.level}\n`)
  },
}
