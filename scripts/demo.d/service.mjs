// One of the two services of the demo: a plain Node server that answers JSON.
import { createServer } from 'node:http'

const body = JSON.stringify({
  service: 'node',
  stock: Array.from({ length: 32 }, (_, item) => ({ item, count: item * 3 })),
})
const service = createServer((request, response) => {
  // The body of the request is read to its end, so that the connection stays usable.
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
})
service.keepAliveTimeout = 60_000
service.listen(Number(process.argv[2]), '127.0.0.1', () => console.log(`listening ${service.address().port}`))
process.on('SIGTERM', () => service.close(() => process.exit(0)))
