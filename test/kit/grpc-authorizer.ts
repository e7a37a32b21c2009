/** An authorizer that speaks the gRPC protocol of Envoy's `ext_authz`, and counts who asked. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js'
import {
  type CheckRequest,
  CheckRequestSchema,
  type CheckResponse,
  CheckResponseSchema,
} from '../../src/control/xds/protos/envoy/service/auth/v3/external_auth_pb.js'

type Answer = Parameters<typeof create<typeof CheckResponseSchema>>[1]

export class GrpcAuthorizer {
  asked: CheckRequest[] = []
  /** Lets all pass, until a test says otherwise. */
  answer: (request: CheckRequest) => Answer = () => ({ status: { code: 0 } })
  port = 0
  private readonly server = new Server()

  static async start(): Promise<GrpcAuthorizer> {
    const authorizer = new GrpcAuthorizer()
    const check: handleUnaryCall<CheckRequest, CheckResponse> = ({ request }, done) => {
      authorizer.asked.push(request)
      done(null, create(CheckResponseSchema, authorizer.answer(request)))
    }
    authorizer.server.addService(
      {
        check: {
          path: '/envoy.service.auth.v3.Authorization/Check',
          requestStream: false,
          responseStream: false,
          requestSerialize: (message: CheckRequest) => Buffer.from(toBinary(CheckRequestSchema, message)),
          requestDeserialize: (bytes: Buffer) => fromBinary(CheckRequestSchema, bytes),
          responseSerialize: (message: CheckResponse) => Buffer.from(toBinary(CheckResponseSchema, message)),
          responseDeserialize: (bytes: Buffer) => fromBinary(CheckResponseSchema, bytes),
        },
      },
      { check },
    )
    authorizer.port = await new Promise<number>((resolve, reject) =>
      authorizer.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    )
    return authorizer
  }

  /** Connections that are open end too. */
  close(): void {
    this.server.forceShutdown()
  }
}
