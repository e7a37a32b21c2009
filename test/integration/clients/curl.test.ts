/** curl, as people use it, through the proxy. */
import { createWriteStream, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeUpstreams, type Received, Upstream } from '../../kit/http-upstream.js'
import { patternHash, patternStream, sha256 } from '../../kit/pattern.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

let proxy: ProxyProcess
let upstream: Upstream
const folder = scratchFolder()
const big = join(folder, 'upload')
const bigBytes = 100_000_000

beforeAll(async () => {
  upstream = await Upstream.start()
  proxy = await ProxyProcess.start(upstream.address)
  await pipeline(patternStream(bigBytes), createWriteStream(big))
})

afterAll(async () => {
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

const curl = (...args: string[]) => outputOf('curl', ['-sS', '--fail', '--max-time', '30', ...args])
const received = async (...args: string[]) => JSON.parse(await curl(...args)) as Received

describe('curl', () => {
  it('gets, heads and posts', async () => {
    expect(await curl(proxy.url)).toBe('app\n')
    expect(await curl('-I', `${proxy.url}/bytes/5000`)).toMatch(
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*content-length: 5000\r\n/i,
    )
    const post = await received('-d', 'a=1&b=2', `${proxy.url}/hash?x=1`)
    expect(post).toMatchObject({ method: 'POST', url: '/hash?x=1', bytes: 7, sha256: sha256('a=1&b=2') })
    expect(post.headers['x-forwarded-for']).toBe('127.0.0.1')
    expect(post.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('uploads 100 MB with a length, and in chunks', async () => {
    const hash = patternHash(bigBytes)
    expect(await received('-T', big, `${proxy.url}/hash`)).toMatchObject({
      method: 'PUT',
      bytes: bigBytes,
      sha256: hash,
    })
    const chunked = await received('-H', 'transfer-encoding: chunked', '-T', big, `${proxy.url}/hash`)
    expect(chunked).toMatchObject({ bytes: bigBytes, sha256: hash })
    expect(chunked.headers['content-length']).toBeUndefined()
  })

  it('downloads 100 MB with a length, and in chunks', async () => {
    for (const kind of ['bytes', 'chunked']) {
      const file = join(folder, kind)
      await curl('-o', file, `${proxy.url}/${kind}/${bigBytes}`)
      expect(statSync(file).size).toBe(bigBytes)
      expect(sha256(readFileSync(file))).toBe(patternHash(bigBytes))
    }
  })

  it('waits for 100 Continue before it sends a body', async () => {
    const told = await outputOf('curl', [
      '-sSv',
      '-H',
      'Expect: 100-continue',
      '--expect100-timeout',
      '20',
      '-d',
      'x',
      `${proxy.url}/hash`,
      '--stderr',
      '-',
    ])
    expect(told.indexOf('100 Continue')).toBeGreaterThan(0)
    expect(told.indexOf('100 Continue')).toBeLessThan(told.indexOf('200 OK'))
  })

  it('speaks HTTP/1.0', async () => {
    const file = join(folder, 'http10')
    expect(await curl('--http1.0', '-D', '-', '-o', file, `${proxy.url}/chunked/300000`)).not.toMatch(
      /transfer-encoding/i,
    )
    expect(sha256(readFileSync(file))).toBe(patternHash(300_000))
    expect((await received('--http1.0', '-d', 'x', `${proxy.url}/hash`)).sha256).toBe(sha256('x'))
  })

  it('keeps one connection for several URLs', async () => {
    const urls = [1, 2, 3, 4].flatMap((n) => ['-o', '/dev/null', `${proxy.url}/bytes/${n * 1000}`])
    const counts = await curl(...urls, '-w', '%{num_connects} %{size_download}\n')
    expect(counts).toBe('1 1000\n0 2000\n0 3000\n0 4000\n')
  })

  it('gets trailers and an answer whose compression the proxy leaves alone', async () => {
    const raw = await curl('--raw', '--compressed', `${proxy.url}/chunked/10`, '-D', '-')
    expect(raw).toMatch(/0\r\nx-end: yes\r\n\r\n$/i)
  })

  it('offers h2c by upgrade and stays with HTTP/1.1', async () => {
    expect(await curl('--http2', '-w', '%{http_version}', proxy.url)).toBe('app\n1.1')
  })

  it('streams its standard input', async () => {
    const answer = await outputOf('sh', ['-c', `head -c 1000000 ${big} | curl -sS -T - ${proxy.url}/hash`])
    expect(JSON.parse(answer)).toMatchObject({ bytes: 1_000_000, sha256: patternHash(1_000_000) })
  })
})
