import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { openApiDocument } from '../../../../src/control/server/open-api-document.js'
import { endpoints } from '../../../../src/control/server/router.js'

interface Operation {
  operationId: string
  parameters: { name: string; in: string }[]
  responses: object
}

describe('the OpenAPI document', () => {
  const document = openApiDocument(endpoints) as { paths: Record<string, Record<string, Operation>> }

  it('is the one that is committed', () => {
    expect(JSON.parse(readFileSync('src/control/server/openapi.json', 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(document)),
    )
  })

  it('declares every parameter of every path once and gives every operation a name of its own', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) => {
      return Object.values(methods).map((operation) => ({ path, ...operation }))
    })
    expect(operations).toHaveLength(endpoints.length)
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(endpoints.length)
    for (const { path, parameters } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(named)
    }
  })
})
