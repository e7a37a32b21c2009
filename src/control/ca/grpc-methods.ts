/** The methods of the authority, as grpc-js takes them: Istio's `CreateCertificate`, and who follows the trusted roots. */
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { MethodDefinition } from '@grpc/grpc-js'
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from '../xds/protos/istio/v1/auth/ca_pb.js'
import { TrustTakenSchema, TrustToldSchema } from '../xds/protos/weft/v1/trust_pb.js'

export const certificateMethods = {
  createCertificate: method(
    '/istio.v1.auth.IstioCertificateService/CreateCertificate',
    IstioCertificateRequestSchema,
    IstioCertificateResponseSchema,
    false,
  ),
}

export const trustMethods = {
  follow: method('/weft.v1.TrustService/Follow', TrustTakenSchema, TrustToldSchema, true),
}

function method<Request extends DescMessage, Response extends DescMessage>(
  path: string,
  request: Request,
  response: Response,
  streams: boolean,
): MethodDefinition<MessageShape<Request>, MessageShape<Response>> {
  return {
    path,
    requestStream: streams,
    responseStream: streams,
    requestSerialize: (message) => Buffer.from(toBinary(request, message)),
    requestDeserialize: (bytes) => fromBinary(request, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(response, message)),
    responseDeserialize: (bytes) => fromBinary(response, bytes),
  }
}
