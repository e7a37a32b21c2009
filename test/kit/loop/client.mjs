// Upstream and client of `endings.mjs`: says where it listens, then, for each round, opens connections to the proxy (and
// to the worker's own door), has one request answered on each, holds them, and says so.
import { createServer } from 'node:http'
import { connect } from 'node:net'

const connections = 20
const server = createServer((_, response) => response.end('ok'))
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => process.send(`127.0.0.1:${server.address().port}`))

let listener
let open = []
process.on('message', async (message) => {
  if (typeof message === 'string') {
    listener = Number(message.split(':')[1])
    return
  }
  for (const socket of open) socket.destroy()
  const ports = Array.from({ length: connections }, () => listener)
  if (message.doorPort !== null) ports.push(message.doorPort, message.doorPort)
  open = await Promise.all(ports.map(answered))
  process.send('held')
})
process.on('disconnect', () => process.exit(0))

/** A connection on which one request was answered. */
function answered(port) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'))
    socket.on('error', () => {})
    socket.once('close', () => reject(new Error(`port ${port} closed without an answer`)))
    socket.once('data', () => {
      socket.removeAllListeners('close')
      resolve(socket)
    })
  })
}
