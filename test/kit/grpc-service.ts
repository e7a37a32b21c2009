/** A gRPC server that counts: the health service, its name in the header `x-upstream`, as `xds-grpc serve` does. */
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'

type Answer = (request: number) => number | null

const serialize = (bytes: Buffer) => bytes
const definition: ServiceDefinition = {
  check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    requestDeserialize: serialize,
    responseSerialize: serialize,
    responseDeserialize: serialize,
  },
}
/** `status: SERVING` */
const serving = Buffer.from([8, 1])
const running = new Set<Server>()

export class CountedGrpcService {
  requests = 0
  /** The status that the request of this number gets; null: a good answer. */
  answer: Answer = () => null
  /** Good answers wait for it. */
  until: Promise<void> = Promise.resolve()
  port = 0

  static async start(name: string): Promise<CountedGrpcService> {
    const service = new CountedGrpcService()
    const server = new Server()
    server.addService(definition, {
      check(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
        service.requests += 1
        const code = service.answer(service.requests)
        const metadata = new Metadata()
        metadata.set('x-upstream', name)
        if (code === null) {
          call.sendMetadata(metadata)
          void service.until.then(() => done(null, serving))
        } else done({ code, details: `${name} answers ${status[code]}` })
      },
    })
    running.add(server)
    service.port = await new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port)
        else reject(error)
      })
    })
    return service
  }
}

export function closeGrpcServices(): void {
  for (const server of running) server.forceShutdown()
  running.clear()
}
