/** Whom a request needs the word of, as Envoy's filter `ext_authz`. */
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import {
  type AuthorizationResponseJson,
  type ExtAuthzJson,
  ExtAuthzSchema,
} from '../../xds/protos/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import type { ListStringMatcherJson } from '../../xds/protos/envoy/type/matcher/v3/string_pb.js'
import type { Authorizer } from '../authorizer-noun.js'
import type { TextMatch } from '../nouns.js'
import { pack, present, seconds } from './any.js'
import { stringMatcher } from './match.js'

/** `asksWhere`: the key and value that an earlier filter's word on the request must have; absent: always. */
export function authorizerFilter(authorizer: Authorizer, asksWhere?: { key: string; value: string }): AnyJson {
  const { name, onError, asked, reroutes } = authorizer
  return pack(
    ExtAuthzSchema,
    present<ExtAuthzJson>({
      transportApiVersion: 'V3',
      ...service(authorizer),
      statPrefix: name,
      failureModeAllow: onError === 'pass' ? true : null,
      statusOnError: onError === 'pass' ? null : { code: onError as never },
      clearRouteCache: reroutes ? true : null,
      allowedHeaders: asked.headers === null ? null : headerMatchers(asked.headers),
      withRequestBody:
        asked.body === null
          ? null
          : {
              maxRequestBytes: asked.body.maxBytes,
              allowPartialMessage: asked.body.partial,
              packAsBytes: asked.body.asBytes,
            },
      decoderHeaderMutationRules: authorizer.answered.upstream === 'all' ? notAboutTheAnswer : null,
      filterEnabledMetadata:
        asksWhere === undefined
          ? null
          : {
              filter: 'envoy.filters.http.rbac',
              path: [{ key: asksWhere.key }],
              value: { stringMatch: { exact: asksWhere.value } },
            },
    }),
  )
}

function service(authorizer: Authorizer): Pick<ExtAuthzJson, 'grpcService' | 'httpService'> {
  const { protocol, cluster, authority, timeoutMs, pathPrefix, asked } = authorizer
  const timeout = seconds(timeoutMs)
  if (protocol === 'grpc') return { grpcService: { envoyGrpc: { clusterName: cluster, authority }, timeout } }
  const added = Object.entries(asked.added).map(([key, value]) => ({ key, value }))
  return {
    httpService: {
      serverUri: { uri: `http://${authority}`, cluster, timeout },
      ...(pathPrefix === '' ? {} : { pathPrefix }),
      ...(added.length === 0 ? {} : { authorizationRequest: { headersToAdd: added } }),
      authorizationResponse: answer(authorizer.answered),
    },
  }
}

function answer({ upstream, downstreamOnAllow, downstreamOnDeny }: Authorizer['answered']): AuthorizationResponseJson {
  const some = (list: TextMatch[]) => (list.length === 0 ? null : headerMatchers(list))
  return present<AuthorizationResponseJson>({
    allowedUpstreamHeaders: upstream === 'all' ? headerMatchers([{ regex: '[^:].*' }]) : some(upstream),
    allowedClientHeadersOnSuccess: some(downstreamOnAllow),
    allowedClientHeaders: downstreamOnDeny === null ? null : some(downstreamOnDeny),
  })
}

/** What says how long an answer is, how it is written and who wrote it would be untrue of the request. */
const notAboutTheAnswer = {
  disallowExpression: {
    regex: '(?i)(content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|date|server|host)',
  },
}

function headerMatchers(list: TextMatch[]): ListStringMatcherJson {
  return {
    patterns: list.map((match) => {
      const text = stringMatcher(match)
      if (text === null) return { prefix: '' }
      return 'regex' in match ? text : { ...text, ignoreCase: true }
    }),
  }
}
