/** Two control planes as processes on a real etcd: one leads, the other takes over within 5 s when it is killed. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import { afterEach, describe, expect, it } from 'vitest'
import { httpRoute } from '../../kit/control.js'
import { startControlProcess } from '../../kit/control-process.js'
import { startEtcd } from '../../kit/etcd.js'
import { freePort } from '../../kit/free-port.js'
import { endPrograms } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

async function replica(etcd: string, id: string) {
  const listen = `127.0.0.1:${await freePort()}`
  return startControlProcess('--store', 'etcd', '--etcd', etcd, '--id', id, '--listen', listen)
}

function writeRoute(name: string): string {
  const file = join(scratchFolder(), 'mesh.yaml')
  writeFileSync(file, dump(httpRoute(name, { parentRefs: [{ group: '', kind: 'Service', name: 's' }] })))
  return file
}

describe('two control planes on etcd', () => {
  it('take changes at either, hand over within 5 s when the leader is killed, and fence it when it comes back', async () => {
    const etcd = await startEtcd()
    const one = await replica(etcd.url, 'one')
    const two = await replica(etcd.url, 'two')
    const ask = (replicaOf: typeof one, ...args: string[]) => replicaOf.weft(...args, '--token', one.token)
    // The follower sends the client on to the leader.
    const applied = await ask(two, 'apply', '-f', writeRoute('a'))
    expect(applied).toMatchObject({ code: 0, stdout: 'HTTPRoute default/a created\n' })
    expect((await ask(one, 'get')).stdout).toContain('HTTPRoute  default    a')
    expect((await ask(two, 'status')).stdout).toContain(`changes are NOT taken: one leads, one leads at ${one.url}`)
    // A workload is registered with the leader, whoever it asks, and is heard there.
    const workload = two.start('register', '--token', one.token, '--service', 's', '--port', '9', '--ttl', '3s')
    await workload.says('registered default/s')
    const heartbeat = `${two.url}/v1/workloads/default/s/127.0.0.1:9/heartbeat`
    const headers = { authorization: `Bearer ${one.token}` }
    const told = await fetch(heartbeat, { method: 'POST', headers, redirect: 'manual' })
    expect([told.status, told.headers.get('location')]).toEqual([307, heartbeat.replace(two.url, one.url)])
    // Stopped, not ended: it will believe in itself when it goes on.
    one.program.signal('SIGSTOP')
    const stoppedAt = performance.now()
    await two.program.says('changes are taken')
    const handOverMs = performance.now() - stoppedAt
    process.stdout.write(`hand-over after ${Math.round(handOverMs)} ms\n`)
    expect(handOverMs).toBeLessThan(5_000)
    expect((await ask(two, 'apply', '-f', writeRoute('b'))).code).toBe(0)
    one.program.signal('SIGCONT')
    // Whatever it believes, the change ends up at the leader, once. For a moment it may know of none, and says so.
    const route = writeRoute('c')
    const atOne = async () => {
      const { code, stderr } = await ask(one, 'apply', '-f', route)
      return code === 0 || stderr
    }
    await expect.poll(atOne).toBe(true)
    await one.program.kill()
    const three = await replica(etcd.url, 'three')
    const { stdout } = await ask(three, 'get')
    for (const name of ['a', 'b', 'c']) expect(stdout).toContain(`HTTPRoute  default    ${name}`)
    // Two leaders and some ttls later it is still there.
    expect((await ask(three, 'get', 'workloads')).stdout).toMatch(/default +s +127\.0\.0\.1:9 +127\.0\.0\.1:9 +healthy/)
    two.program.signal('SIGTERM')
    const endedAt = performance.now()
    await three.program.says('changes are taken')
    process.stdout.write(`hand-over after a clean end: ${Math.round(performance.now() - endedAt)} ms\n`)
    expect((await ask(three, 'apply', '-f', writeRoute('d'))).code).toBe(0)
  })
})
