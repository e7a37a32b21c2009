import { afterEach, describe, expect, it, vi } from 'vitest'
import { followKeys, type KeyFollowing } from '../../../../src/control/key-sets/follow-keys.js'
import { MemoryMesh } from '../../../kit/mesh-source.js'

const authentication = (name: string, jwksUri: string) =>
  JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name },
    spec: { jwtRules: [{ issuer: 'https://a.example', jwksUri, timeout: '60s' }] },
  })

const open: { close(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
  vi.useRealTimers()
})

function follow(fetch: NonNullable<KeyFollowing['fetch']>, refreshMs = 60_000) {
  vi.useFakeTimers()
  const mesh = new MemoryMesh()
  const said: string[] = []
  const followed = followKeys(mesh, { refreshMs, fetch, say: (text) => said.push(text), random: () => 0.5 })
  open.push(followed)
  const told = vi.fn()
  followed.onChange(told)
  const keysOf = (source: string) => followed.current().keySets?.get(source)
  return { mesh, followed, said, told, keysOf }
}

const place = 'https://a.example/keys'

describe('followKeys', () => {
  it('asks once for what several rules name, and no more when nobody names it', async () => {
    const fetch = vi.fn(async () => 'keys')
    const { mesh, keysOf } = follow(fetch)
    mesh.apply(`${authentication('one', place)}\n---\n${authentication('two', place)}`)
    await vi.advanceTimersByTimeAsync(0)
    expect(fetch).toHaveBeenCalledTimes(1)
    expect(keysOf(place)).toEqual({ keys: 'keys', fault: null })
    await vi.advanceTimersByTimeAsync(70_000)
    expect(fetch).toHaveBeenCalledTimes(2)
    mesh.delete('RequestAuthentication', 'one')
    await vi.advanceTimersByTimeAsync(70_000)
    expect(fetch).toHaveBeenCalledTimes(3)
    mesh.delete('RequestAuthentication', 'two')
    expect(keysOf(place)).toBeUndefined()
    await vi.advanceTimersByTimeAsync(700_000)
    expect(fetch).toHaveBeenCalledTimes(3)
  })

  it('tells of a change when its keys are there, at the latest after 5 s; of others at once', async () => {
    let answer: (keys: string) => void = () => {}
    const { mesh, told, keysOf } = follow(
      () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    )
    await vi.advanceTimersByTimeAsync(0)
    told.mockClear()
    mesh.apply(authentication('one', place))
    await vi.advanceTimersByTimeAsync(4_000)
    expect(told).not.toHaveBeenCalled()
    answer('keys')
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toHaveBeenCalled()
    expect(keysOf(place)?.keys).toBe('keys')

    told.mockClear()
    mesh.apply(authentication('two', `${place}/slow`))
    await vi.advanceTimersByTimeAsync(5_100)
    expect(told).toHaveBeenCalledTimes(1)
    mesh.apply(authentication('two', `${place}/slow`))
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toHaveBeenCalledTimes(2)
    answer('late keys')
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toHaveBeenCalledTimes(3)
    expect(keysOf(`${place}/slow`)?.keys).toBe('late keys')
  })

  it('keeps the last good keys, asks again soon and then ever less often, and says so once', async () => {
    let fault: string | null = null
    const fetch = vi.fn(async () => {
      if (fault !== null) throw new Error(fault)
      return 'keys'
    })
    const { mesh, said, told, keysOf } = follow(fetch)
    mesh.apply(authentication('one', place))
    await vi.advanceTimersByTimeAsync(0)
    fault = 'gone'
    await vi.advanceTimersByTimeAsync(70_000)
    expect(keysOf(place)).toEqual({ keys: 'keys', fault: 'gone' })
    told.mockClear()
    // After 60 s, and then 1, 2, 4 and 8 s later.
    expect(fetch).toHaveBeenCalledTimes(5)
    await vi.advanceTimersByTimeAsync(8_000)
    expect(fetch).toHaveBeenCalledTimes(6)
    expect(told).not.toHaveBeenCalled()
    fault = null
    await vi.advanceTimersByTimeAsync(70_000)
    expect(keysOf(place)).toEqual({ keys: 'keys', fault: null })
    expect(said).toEqual([`no keys from ${place}: gone`, `${place} gives keys again`])
  })

  it('keeps the identity of a state in which nothing changed', async () => {
    const { mesh, followed } = follow(async () => 'keys')
    mesh.apply(authentication('one', place))
    await vi.advanceTimersByTimeAsync(0)
    const before = followed.current()
    await vi.advanceTimersByTimeAsync(70_000)
    expect(followed.current()).toBe(before)
  })
})
