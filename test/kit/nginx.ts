/** nginx in the foreground, as a client of the proxy or as its upstream. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from './free-port.js'
import { Program } from './program.js'
import { scratchFolder } from './scratch.js'

export interface Nginx {
  program: Program
  address: string
  /** Files under it are served. */
  root: string
}

/** `http` stands in the http block, `server` in the only server. Resolves when it accepts. */
export async function startNginx(http: string, server: string): Promise<Nginx> {
  const folder = scratchFolder()
  const root = join(folder, 'html')
  mkdirSync(root)
  const port = await freePort()
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''} master_process off; pid ${folder}/pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log off; client_max_body_size 0; ${temp.join(' ')}
  ${http}
  server { listen 127.0.0.1:${port}; root ${root}; ${server} }
}`,
  )
  const path = `${process.env.PATH}:/usr/sbin`
  const program = new Program('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { env: { PATH: path } })
  await program.says('getrlimit')
  await accepts(port)
  return { program, address: `127.0.0.1:${port}`, root }
}

/** It listens before it says so, so one connection is proof enough. */
function accepts(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    }).once('error', reject)
  })
}
