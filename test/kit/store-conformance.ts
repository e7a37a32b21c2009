/** What every store must do, as one table; each store runs it in its own test file. */
import { describe, expect, it, vi } from 'vitest'
import type { Store, WatchEvent } from '../../src/control/store/store.js'
import { put, remove, route, write } from './store-writes.js'

type Warn = (message: string) => void

/** `open` gives a fresh, empty store that can be written to. */
export function describeStore(name: string, open: (warn?: Warn) => Promise<Store>): void {
  describe(`${name}, as every store,`, () => {
    it('gives back what was committed, with version, author and times', async () => {
      const store = await open()
      const { revision } = await write(store, 'alice', put('a', { n: 1 }))
      expect(revision).toBe(1)
      const entry = store.get(route('a'))
      expect(entry).toMatchObject({ value: { n: 1 }, version: 1, createdRevision: 1, changedBy: 'alice' })
      expect(entry?.createdAtMs).toBe(entry?.changedAtMs)
      await write(store, 'bob', put('a', { n: 2 }))
      expect(store.get(route('a'))).toMatchObject({ value: { n: 2 }, version: 2, createdRevision: 1, changedBy: 'bob' })
      expect(store.get(route('b'))).toBeNull()
    })

    it('grows by one revision per commit, whatever a commit holds', async () => {
      const store = await open()
      await write(store, 'alice', put('a', {}), put('b', {}), put('c', {}))
      await write(store, 'alice', remove('b'))
      expect(store.revision()).toBe(2)
      expect(store.list().map(({ key, version }) => [key.name, version])).toEqual([
        ['a', 1],
        ['c', 1],
      ])
    })

    it('lists by kind and namespace in the order of the keys', async () => {
      const store = await open()
      const other = { kind: 'DestinationRule.networking.istio.io', namespace: 'shop', name: 'x' }
      await write(store, 'alice', put('b', {}), put('a', {}), { key: other, value: {}, expect: null })
      await write(store, 'alice', { key: route('c', 'shop'), value: {}, expect: null })
      expect(store.list({ kind: route('').kind }).map(({ key }) => key.name)).toEqual(['a', 'b', 'c'])
      expect(store.list({ namespace: 'shop' }).map(({ key }) => key.name)).toEqual(['x', 'c'])
      expect(store.list({ kind: other.kind, namespace: 'default' })).toEqual([])
    })

    it('refuses a change of another version and says who changed it', async () => {
      const store = await open()
      await write(store, 'alice', put('a', { n: 1 }, 0))
      await write(store, 'bob', put('a', { n: 2 }, 1))
      const late = write(store, 'alice', put('a', { n: 3 }, 1))
      await expect(late).rejects.toMatchObject({
        code: 'WEFT_STORE_CONFLICT',
        message: expect.stringMatching(/default\/a was to be at version 1, but bob wrote version 2 at 20/),
      })
      await expect(write(store, 'alice', put('a', {}, 0))).rejects.toThrow('was to be new, but bob wrote version 2')
      await write(store, 'bob', remove('a', 2))
      await expect(write(store, 'alice', put('a', {}, 2))).rejects.toThrow('but bob deleted it at 20')
      await expect(write(store, 'alice', put('z', {}, 7))).rejects.toThrow('but it does not exist')
      expect(store.revision()).toBe(3)
    })

    it('commits all of a batch or nothing', async () => {
      const store = await open()
      await write(store, 'alice', put('a', { n: 1 }))
      await expect(write(store, 'bob', put('b', {}), put('a', {}, 0))).rejects.toMatchObject({
        code: 'WEFT_STORE_CONFLICT',
      })
      expect(store.get(route('b'))).toBeNull()
      expect(store.revision()).toBe(1)
    })

    it('lets one of many writers who expect the same version win', async () => {
      const store = await open()
      await write(store, 'alice', put('a', { n: 0 }))
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => write(store, `writer ${n}`, put('a', { n }, 1))),
      )
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(store.revision()).toBe(2)
    })

    it('lets every writer win in the end who tries again after a conflict', async () => {
      const store = await open()
      const tries = Array.from({ length: 20 }, async (_, n) => {
        for (;;) {
          const expect = store.get(route('a'))?.version ?? 0
          const done = await write(store, `writer ${n}`, put('a', { n }, expect)).catch(() => null)
          if (done !== null) return done.revision
        }
      })
      expect((await Promise.all(tries)).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
    })

    it('does not give a version again after a deletion', async () => {
      const store = await open()
      await write(store, 'alice', put('a', {}))
      await write(store, 'alice', remove('a'))
      const { revision } = await write(store, 'alice', put('a', {}))
      expect(store.get(route('a'))).toMatchObject({ version: revision, createdRevision: 3 })
      await expect(write(store, 'bob', remove('a', 1))).rejects.toMatchObject({ code: 'WEFT_STORE_CONFLICT' })
    })

    it('announces commits in order, old ones first, until the watch ends', async () => {
      const store = await open()
      await write(store, 'alice', put('a', { n: 1 }))
      await write(store, 'alice', put('a', { n: 2 }))
      const events: WatchEvent[] = []
      const end = store.watch(2, (event) => events.push(event))
      await write(store, 'bob', remove('a'))
      end()
      await write(store, 'bob', put('a', {}))
      expect(events.map((event) => event.type === 'commit' && event.applied.revision)).toEqual([2, 3])
      const [, last] = events
      expect(last).toMatchObject({
        applied: { author: 'bob', changes: [{ before: { value: { n: 2 }, version: 2 }, after: null }] },
      })
    })

    it('takes commits and tells the others of them when a watcher throws, and says what it threw', async () => {
      const warn = vi.fn<Warn>()
      const store = await open(warn)
      const seen: string[] = []
      const note = (who: string) => (event: WatchEvent) => {
        seen.push(`${who} ${event.type === 'commit' ? event.applied.revision : event.type}`)
      }
      store.watch(1, note('first'))
      store.watch(1, (event) => {
        note('bad')(event)
        throw new Error('this watcher is broken')
      })
      store.watch(1, note('last'))
      // Two of one group, then one for itself: none of them may wait for ever.
      const group = [write(store, 'alice', put('a', {})), write(store, 'alice', put('b', {}))]
      expect((await Promise.all(group)).map(({ revision }) => revision)).toEqual([1, 2])
      expect((await write(store, 'alice', put('c', {}))).revision).toBe(3)
      expect(seen).toEqual([1, 2, 3].flatMap((n) => ['first', 'bad', 'last'].map((who) => `${who} ${n}`)))
      expect(warn).toHaveBeenCalledTimes(3)
      expect(warn).toHaveBeenCalledWith(expect.stringContaining('this watcher is broken'))
      await store.close()
    })

    it('tells a watcher that asks for what is not there to read again', async () => {
      const store = await open()
      await write(store, 'alice', put('a', {}))
      const events: WatchEvent[] = []
      store.watch(90, (event) => events.push(event))
      expect(events).toEqual([{ type: 'relist', revision: 1 }])
      await write(store, 'alice', put('b', {}))
      expect(events).toHaveLength(2)
    })

    it('remembers what a resource was, deletions included', async () => {
      const store = await open()
      await write(store, 'alice', put('a', { n: 1 }))
      await write(store, 'bob', put('a', { n: 2 }), put('b', {}))
      await write(store, 'carol', remove('a'))
      expect(store.history(route('a')).map(({ revision, author, value }) => [revision, author, value])).toEqual([
        [3, 'carol', null],
        [2, 'bob', { n: 2 }],
        [1, 'alice', { n: 1 }],
      ])
    })

    it('refuses names that no file or URL should meet', async () => {
      const store = await open()
      for (const name of ['', 'a/b', '../x', 'ä', 'a b', 'x'.repeat(254)])
        await expect(write(store, 'alice', put(name, {}))).rejects.toMatchObject({ code: 'WEFT_STORE_KEY' })
      expect(store.revision()).toBe(0)
    })

    it('keeps every character of a value', async () => {
      const store = await open()
      const value = { text: '\u0000 "ü" \u2028 😀 \\ \n', deep: [{ list: [1.5, true, null, -0.1e-9] }] }
      await write(store, 'älice "x"', put('a', value))
      expect(store.get(route('a'))?.value).toEqual(value)
      expect(store.history(route('a'))[0]?.author).toBe('älice "x"')
    })
  })
}
