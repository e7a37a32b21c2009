/** Destinations with a name, which the control plane's configuration declares and `Telemetry` and `AuthorizationPolicy` name. */
import * as z from 'zod'
import { authorizerProviders } from './authorizer-providers.js'

const endpoint = {
  service: z.string().min(1).meta({ description: 'Host name or address; data planes reach it themselves' }),
  port: z.int().min(1).max(65_535),
}

const fileLog = z
  .strictObject({
    path: z.string().startsWith('/').meta({ description: 'File on the machine of the data plane, or /dev/stdout' }),
    logFormat: z
      .strictObject({
        text: z.string().min(1).optional(),
        labels: z.record(z.string().min(1), z.string()).optional(),
      })
      .refine(({ text, labels }) => (text === undefined) !== (labels === undefined), {
        error: 'must have one of text and labels',
      })
      .optional()
      .meta({ description: 'In Envoy’s commands: a line, or the fields of a JSON line; absent: ours' }),
  })
  .meta({ description: 'An access log' })

const extensionProvider = z
  .strictObject({
    name: z.string().min(1).meta({ description: 'As Telemetry and AuthorizationPolicy name it' }),
    envoyFileAccessLog: fileLog.optional(),
    zipkin: z
      .strictObject({ ...endpoint, path: z.string().startsWith('/').default('/api/v2/spans') })
      .optional()
      .meta({ description: 'Traces, as Zipkin’s JSON' }),
    opentelemetry: z
      .strictObject({
        ...endpoint,
        http: z
          .strictObject({ path: z.string().startsWith('/').default('/v1/traces') })
          .optional()
          .meta({ description: 'OTLP over HTTP; absent: over gRPC' }),
      })
      .optional()
      .meta({ description: 'Traces, as OTLP' }),
    ...authorizerProviders,
  })
  .refine(({ name: _, ...types }) => Object.values(types).filter((one) => one !== undefined).length === 1, {
    error: 'must be one of envoyFileAccessLog, zipkin, opentelemetry, envoyExtAuthzHttp and envoyExtAuthzGrpc',
  })

const names = z.array(z.string().min(1)).default([])

/** Names are not checked against each other: what a name that leads nowhere costs is said where it is used. */
export const providerFields = {
  extensionProviders: z
    .array(extensionProvider)
    .superRefine((providers, context) => {
      for (const [index, { name }] of providers.entries())
        if (providers.findIndex((one) => one.name === name) < index)
          context.addIssue({ code: 'custom', message: 'is the name of another one', path: [index, 'name'] })
    })
    .default([])
    .meta({ description: 'Destinations that Telemetry and AuthorizationPolicy name' }),
  defaultProviders: z
    .strictObject({ accessLogging: names, tracing: names })
    .prefault({})
    .meta({ description: 'In use where no Telemetry says otherwise' }),
}

export type ExtensionProvider = z.output<typeof extensionProvider>
export interface DefaultProviders {
  accessLogging: string[]
  tracing: string[]
}
