/** `GET /openapi.json`: this API, described. */
import * as z from 'zod'
import { endpoint, ok } from '../endpoint.js'

export const openApi = endpoint({
  method: 'GET',
  path: '/openapi.json',
  about: 'This API as an OpenAPI document',
  access: 'open',
  result: z.looseObject({ openapi: z.string() }),
  async answer() {
    // The list of endpoints holds this one: it can only be read when it is complete.
    const { endpoints } = await import('../router.js')
    const { openApiDocument } = await import('../open-api-document.js')
    return ok(openApiDocument(endpoints))
  },
})
