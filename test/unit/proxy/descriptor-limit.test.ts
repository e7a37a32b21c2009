import { describe, expect, it } from 'vitest'
import { validate } from '../../../src/config/validate.js'
import { descriptorLimit, fitConnections } from '../../../src/proxy/descriptor-limit.js'

function configWith(...maxConnections: number[]) {
  const listeners = maxConnections.map((max, i) => ({
    name: `l${i}`,
    address: '127.0.0.1:0',
    limits: { maxConnections: max },
  }))
  const { config } = validate({ listeners })
  if (config === null) throw new Error('must be valid')
  return config
}

const fitted = (limit: number, ...wanted: number[]) => {
  const { config, warnings } = fitConnections(configWith(...wanted), limit)
  return { connections: config.listeners.map(({ limits }) => limits.maxConnections), warnings }
}

describe('the descriptor limit', () => {
  it('leaves listeners alone that fit', () => {
    expect(fitted(20_256, 10_000)).toEqual({ connections: [10_000], warnings: [] })
    expect(fitted(Number.POSITIVE_INFINITY, 1_000_000)).toEqual({ connections: [1_000_000], warnings: [] })
  })

  it('leaves doors out, which count no connections', () => {
    const doors = validate({ listeners: [{ name: 'door', address: '127.0.0.1:0', engine: 'uws' }] }).config
    if (doors === null) throw new Error('must be valid')
    expect(fitConnections(doors, 1024)).toEqual({ config: doors, warnings: [] })
  })

  it('lowers what does not fit in proportion, and names the number that would', () => {
    const { connections, warnings } = fitted(1024, 1000, 3000)
    expect(connections).toEqual([96, 288])
    expect(warnings[0]).toBe(
      'listener l0 takes at most 96 connections, not 1000: the limit of 1024 open descriptors is too low; raise it to 8256 (ulimit -n)',
    )
  })

  it('never goes down to none', () => {
    expect(fitted(10, 1000).connections).toEqual([1])
  })

  it('is read from the system', () => {
    expect(descriptorLimit()).toBeGreaterThan(0)
  })
})
