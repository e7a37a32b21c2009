// What the Node services of the shop share: a small JSON server, and calls to other services through the sidecar.
import { Agent, createServer, request as send } from 'node:http'

/** Headers that make one trace of several calls. */
const passedOn = ['x-request-id', 'traceparent', 'tracestate', 'end-user']
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Serves `answer(request)` as JSON on PORT until SIGTERM. An answer that throws is a 502 with its reason. */
export function serve(answer) {
  const server = createServer(async (request, response) => {
    request.resume()
    const [status, value] = await answer(request).then(
      (value) => [200, value],
      (error) => [502, { error: error.message }],
    )
    const body = JSON.stringify(value)
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  })
  server.keepAliveTimeout = 60_000
  server.listen(Number(process.env.PORT), '127.0.0.1')
  process.on('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}

/** Calls another service: the address is the sidecar's; whom to ask says a header to Weft, and the host to an Envoy. */
export async function call(service, path, from) {
  const headers = { host: service, 'x-weft-service': service }
  for (const name of passedOn) if (from.headers[name] !== undefined) headers[name] = from.headers[name]
  const answer = await new Promise((resolve, reject) => {
    send(`${process.env.OUTBOUND}${path}`, { headers, agent }, resolve).on('error', reject).end()
  })
  let body = ''
  for await (const part of answer.setEncoding('utf8')) body += part
  if (answer.statusCode !== 200) throw new Error(`${service} answered ${answer.statusCode}`)
  return JSON.parse(body)
}
