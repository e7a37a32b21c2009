import { describe, expect, it } from 'vitest'
import { asksForSupervisor, supervisorArguments } from '../../../src/cli/supervisor-arguments.js'
import { restartWaitMs } from '../../../src/proxy/supervise.js'

describe('weft run --supervise', () => {
  it('is told from what an application is given', () => {
    expect(asksForSupervisor(['run', '-c', 'weft.yaml', '--supervise'])).toBe(true)
    expect(asksForSupervisor(['run', '-c', 'weft.yaml', '--', 'app', '--supervise'])).toBe(false)
    expect(asksForSupervisor(['validate', '--supervise'])).toBe(false)
  })

  it('hands on every word but its own, and keeps the application', () => {
    const words = ['run', '--supervise', '-c', 'weft.yaml', '--output', 'json', '--', 'app', '--supervise']
    expect(supervisorArguments(words)).toEqual({
      run: ['run', '-c', 'weft.yaml', '--output', 'json'],
      app: ['app', '--supervise'],
      format: 'json',
    })
  })
})

describe('the wait before a proxy is started again', () => {
  it('is none for the first death and grows to a bound, a short one where traffic is without a proxy', () => {
    const waits = (served: boolean) => [0, 1, 2, 3, 20].map((deaths) => restartWaitMs(deaths, served))
    expect(waits(true)).toEqual([0, 100, 200, 200, 200])
    expect(waits(false)).toEqual([0, 100, 200, 400, 5_000])
  })
})
