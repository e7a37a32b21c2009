/** The OpenAPI document, from the declarations of the endpoints. `scripts/generate` writes it, `/openapi.json` serves it. */
import * as z from 'zod'
import type { Endpoint } from './endpoint.js'

interface ObjectSchema {
  properties?: Record<string, object>
  required?: string[]
}

export function openApiDocument(endpoints: readonly Endpoint[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operation(endpoint) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Weft control plane', version: '1', license: { name: 'Apache-2.0' } },
    paths,
    components: {
      schemas: { Failure: failure },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token of `weft token create`' } },
    },
  }
}

const failure = {
  type: 'object',
  required: ['code', 'message', 'hint', 'issues'],
  properties: {
    code: { type: 'string', description: 'One of the error codes of the reference page' },
    message: { type: 'string' },
    hint: { type: ['string', 'null'] },
    issues: { type: 'array', items: { type: 'object' } },
  },
}

function operation({ method, path, about, access, query, body, result }: Endpoint): object {
  const words = path.split('/').flatMap((part) => /\w+/.exec(part) ?? [])
  return {
    operationId: [method.toLowerCase(), ...words].join('-'),
    summary: about,
    security: access === 'open' ? [] : [{ token: [] }],
    ...(access !== 'open' && access !== 'known' && { 'x-weft-access': access }),
    parameters: [...pathParameters(path), ...queryParameters(query)],
    ...(body !== undefined && { requestBody: { required: true, content: json(schemaOf(body, 'input')) } }),
    responses: {
      '200': { description: 'Done', content: json(schemaOf(result, 'output')) },
      default: { description: 'Refused or failed', content: json({ $ref: '#/components/schemas/Failure' }) },
    },
  }
}

const json = (schema: object) => ({ 'application/json': { schema } })

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as { $schema?: string }
  return rest
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } }
  })
}

function queryParameters(query: z.ZodType | undefined): object[] {
  if (query === undefined) return []
  const { properties = {}, required = [] } = schemaOf(query, 'input') as ObjectSchema
  return Object.entries(properties).map(([name, schema]) => {
    return { name, in: 'query', required: required.includes(name), schema }
  })
}
