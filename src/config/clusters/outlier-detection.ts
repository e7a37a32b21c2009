/** `clusters[].outlierDetection`: endpoints that fail more than the others get no requests for a time. Names of Envoy's. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { words } from '../forms/not-yet.js'

const inARow = (fallback: number | null, description: string) =>
  z.int().min(1).max(1_000_000).nullable().default(fallback).meta({ description })

const minHosts = z
  .int()
  .min(1)
  .max(65_534)
  .default(5)
  .meta({ description: 'Endpoints with enough requests that there must be' })

const requestVolume = (fallback: number) =>
  z
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(fallback)
    .meta({ description: 'Requests within `interval` that are enough' })

const successRate = z
  .strictObject({
    stdevFactor: z
      .number()
      .min(0)
      .max(100)
      .default(1.9)
      .meta({ description: 'How many standard deviations below the mean of all' }),
    minHosts,
    requestVolume: requestVolume(100),
  })
  .meta({ title: 'outlierDetection.successRate' })

const failurePercentage = z
  .strictObject({
    threshold: z.number().min(0).max(100).default(85).meta({ description: 'From how many percent of failures on' }),
    minHosts,
    requestVolume: requestVolume(50),
  })
  .meta({ title: 'outlierDetection.failurePercentage' })

export const outlierDetection = z
  .strictObject({
    mode: words(['enforce', 'shadow'], [])
      .prefault('enforce')
      .meta({ description: '`shadow`: what would be ejected is logged and counted, and stays' }),
    consecutive5xx: inARow(5, 'Failures in a row: 5xx, or no answer; null: never'),
    consecutiveGatewayErrors: inARow(null, 'The same of 502, 503, 504 and no answer; absent: never'),
    consecutiveLocalErrors: inARow(
      null,
      'Attempts without an answer in a row, which then count for nothing else in a row; absent: they count as 503',
    ),
    interval: duration({ minMs: 100 }).prefault('10s').meta({ description: 'Between two comparisons of rates' }),
    baseEjection: duration({ minMs: 100 })
      .prefault('30s')
      .meta({ description: 'How long an endpoint is out, times how often in a row' }),
    maxEjection: duration({ minMs: 100 })
      .prefault('300s')
      .meta({ description: 'The longest; never less than `baseEjection`' }),
    ejectionJitter: duration().prefault('0s').meta({ description: 'Longest random addition' }),
    maxEjectionPercent: z
      .int()
      .min(0)
      .max(100)
      .default(10)
      .meta({ description: 'How many of the endpoints may be out at once; one always may, unless it is 0' }),
    ejectLast: z.boolean().default(false).meta({ description: 'The last endpoint that is up may be ejected as well' }),
    returnOnHealthCheck: z
      .boolean()
      .default(true)
      .meta({ description: 'A health check that succeeds ends an ejection' }),
    successRate: successRate
      .nullable()
      .prefault({})
      .meta({ description: 'Endpoints that succeed much less often than the others; null: they are not compared' }),
    failurePercentage: failurePercentage
      .nullable()
      .default(null)
      .meta({ description: 'Endpoints that fail too often, whatever the others do; absent: they are not' }),
  })
  .meta({ title: 'outlierDetection' })
