/** The Debian package: installed by dpkg into a copy of this system that goes with the test, and run as its unit runs it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

const folder = 'dist'
const name = readdirSync(folder).find((file) => file.endsWith('_amd64.deb'))
if (name === undefined) throw new Error('dist holds no Debian package: scripts/build-deb')
const file = join(process.cwd(), folder, name)
afterAll(removeScratch)

describe('the Debian package', () => {
  it('holds the command, its files, unit, manual, completions and a configuration that stays', () => {
    const list = execFileSync('dpkg-deb', ['-c', file], { encoding: 'utf8' })
    for (const path of [
      './usr/bin/weft',
      './lib/systemd/system/weft.service',
      './etc/weft/weft.yaml',
      './usr/share/man/man1/weft.1.gz',
      './usr/share/bash-completion/completions/weft',
    ])
      expect(list).toMatch(new RegExp(`root/root .*${path.replaceAll('.', '\\.')}\n`))
    expect(list).toMatch(/\.\/etc\/weft\/node_modules\/weftmesh -> \/usr\/lib\/weft\/\d/)
    expect(execFileSync('dpkg-deb', ['-I', file, 'conffiles'], { encoding: 'utf8' })).toBe('/etc/weft/weft.yaml\n')
  })

  it.runIf(overlays())('is installed with its user, serves as that user and is removed again', () => {
    const stdout = inCopyOfSystem(`
      dpkg -i ${file} >/dev/null
      getent passwd weft
      setpriv --reuid=weft --regid=weft --clear-groups env -i weft validate -c /etc/weft/weft.yaml
      setpriv --reuid=weft --regid=weft --clear-groups env -i weft run -c /etc/weft/weft.yaml 2>/run/weft.log &
      proxy=$!
      until grep -q ' ready in ' /run/weft.log; do kill -0 $proxy; done
      curl -s http://127.0.0.1:8080/
      kill $proxy
      wait $proxy
      find /tmp /var/cache -name '0.1.0-*' | wc -l
      man -l --warnings /usr/share/man/man1/weft.1.gz | head -4
      dpkg --purge weft >/dev/null 2>&1
      ls -d /usr/lib/weft /etc/weft /usr/bin/weft 2>&1 | grep -c 'cannot access'`)
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^weft:x:\d+:\d+:Weft proxy/),
      '/etc/weft/weft.yaml is valid: 1 listener, 1 route, 0 clusters',
      'weft is running; say what to serve in /etc/weft/weft.yaml',
      '0',
      expect.stringContaining('WEFT(1)'),
      '',
      'NAME',
      expect.stringContaining('weft - service mesh proxy'),
      '3',
      '',
    ])
  })
})

function overlays(): boolean {
  const permitted = process.getuid?.() === 0 && spawnSync('sh', ['-c', entering('true')]).status === 0
  if (!permitted) process.stderr.write('installation by dpkg: left out, this machine permits no overlay\n')
  return permitted
}

/** In namespaces of its own: neither files nor ports of this system are touched. */
function entering(command: string): string {
  const upper = scratchFolder()
  const mount = `mount -t tmpfs tmpfs ${upper} && mkdir ${upper}/upper ${upper}/work ${upper}/root &&
    mount -t overlay -o lowerdir=/,upperdir=${upper}/upper,workdir=${upper}/work overlay ${upper}/root &&
    mount --bind /dev ${upper}/root/dev && mount -t proc proc ${upper}/root/proc && mount -t tmpfs tmpfs ${upper}/root/tmp &&
    mount --bind ${process.cwd()} ${upper}/root${process.cwd()} && ip link set lo up`
  return `unshare --mount --net --pid --fork sh -c '${mount} && exec chroot ${upper}/root ${command}'`
}

function inCopyOfSystem(script: string): string {
  const { stdout, stderr, status } = spawnSync('sh', ['-c', entering('bash -eu')], { input: script, encoding: 'utf8' })
  if (status !== 0) throw new Error(`ended with ${status}:\n${stdout}\n${stderr}`)
  return stdout
}
