/** `drain`: how long open exchanges may take to finish when the proxy ends. */
import * as z from 'zod'
import { duration } from './forms/duration.js'

export const drain = z
  .strictObject({
    deadline: duration().prefault('20s').meta({ description: 'After this the process ends, finished or not' }),
  })
  .meta({ title: 'drain', description: 'Graceful ending.' })
