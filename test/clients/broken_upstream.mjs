// An upstream that says a long answer is coming, sends a part of it and waits to be killed. The path names the framing.
import { createServer } from 'node:http'

const say = (line) => void process.stdout.write(`${line}\n`)

const server = createServer((request, response) => {
  if (request.url === '/length') response.setHeader('content-length', 50_000_000)
  if (request.url === '/nothing') return say('asked')
  response.write(Buffer.alloc(100_000), () => say('sent'))
})
server.listen(0, '127.0.0.1', () => say(`port ${server.address().port}`))
