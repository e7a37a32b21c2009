import { describe, expect, it } from 'vitest'
import { validate } from '../../../src/config/validate.js'

function issuesOf(forward: unknown, cluster: object, endpoints: unknown[] = [labelled('v1'), labelled('v2')]) {
  const { issues } = validate({
    listeners: [{ name: 'in', address: '127.0.0.1:1', protocol: 'http' }],
    routes: [{ name: 'app', forward: [forward] }],
    clusters: [{ name: 'app', endpoints, ...cluster }],
  })
  return issues.map(({ path, message, hint }) => [path, message, hint])
}

let port = 1000
function labelled(version: string, more: object = {}) {
  port += 1
  return { address: `127.0.0.1:${port}`, labels: { version, ...more } }
}

const byVersion = { subsets: { keys: [['version']] } }

describe('a subset that a route names', () => {
  it('is a part of its cluster, by the value of the one label or by all labels', () => {
    expect(issuesOf({ cluster: 'app', subset: 'v2' }, byVersion)).toEqual([])
    expect(issuesOf({ cluster: 'app', subset: { version: 'v2' } }, byVersion)).toEqual([])
  })

  it('needs a cluster that has subsets by its labels', () => {
    expect(issuesOf({ cluster: 'app', subset: 'v2' }, {})).toEqual([
      [
        'routes[0].forward[0].subset',
        'the cluster has no `subsets`',
        'give the cluster `subsets: { keys: [[version]] }`',
      ],
    ])
    expect(issuesOf({ cluster: 'app', subset: { stage: 'test' } }, byVersion)).toEqual([
      ['routes[0].forward[0].subset', 'the cluster has no subsets by stage, only by version', null],
    ])
    const both = { subsets: { keys: [['version'], ['stage']] } }
    expect(issuesOf({ cluster: 'app', subset: 'v2' }, both)).toEqual([
      [
        'routes[0].forward[0].subset',
        'says too little: the cluster has subsets by version and by stage; write the labels',
        null,
      ],
    ])
  })

  it('has an endpoint, unless something stands in for it or a registry knows the endpoints', () => {
    expect(issuesOf({ cluster: 'app', subset: 'v3' }, byVersion)).toEqual([
      ['routes[0].forward[0].subset', 'no endpoint of cluster app has version=v3', 'known: version=v1; version=v2'],
    ])
    const any = { subsets: { keys: [['version']], fallback: 'any' } }
    expect(issuesOf({ cluster: 'app', subset: 'v3' }, any)).toEqual([])
    const found = { ...byVersion, endpoints: undefined, discovery: { type: 'file', path: 'app.yaml' } }
    expect(issuesOf({ cluster: 'app', subset: 'v3' }, found)).toEqual([])
  })

  it('falls back to labels that are a subset themselves', () => {
    const fallback = (labels: object | undefined, word = 'default') =>
      issuesOf({ cluster: 'app', subset: 'v3' }, { subsets: { keys: [['version']], fallback: word, default: labels } })
    expect(fallback({ version: 'v1' })).toEqual([])
    expect(fallback(undefined).map(([path]) => path)).toEqual(['clusters[0].subsets.default'])
    expect(fallback({ stage: 'x' }).map(([, message]) => message)).toEqual([
      'the cluster has no subsets by stage, only by version',
    ])
    expect(fallback({ version: 'v1' }, 'any').map(([, message]) => message)).toEqual([
      'belongs to `fallback: default`, not to any',
    ])
  })
})

describe('priorities', () => {
  const issuesAt = (...priorities: unknown[]) =>
    issuesOf(
      { cluster: 'app' },
      {},
      priorities.map((priority, at) => ({ address: `127.0.0.1:${2000 + at}`, priority })),
    )

  it('count from 0 without a gap, in any order', () => {
    expect(issuesAt(1, 0, 2, 1)).toEqual([])
    expect(issuesAt(0, 2)).toEqual([
      [
        'clusters[0].endpoints[1].priority',
        'no endpoint has priority 1, which would come before 2',
        'number the priorities 0, 1, 2 without a gap',
      ],
    ])
    expect(issuesAt(1, 1).map(([path]) => path)).toEqual(['clusters[0].endpoints[0].priority'])
    expect(issuesOf({ cluster: 'app' }, {}, ['127.0.0.1:9', { address: '127.0.0.1:10', priority: 1 }])).toEqual([])
  })

  it('are whole numbers from 0 to 127', () => {
    for (const wrong of [-1, 128, 0.5, 'first']) {
      expect(issuesAt(0, wrong).map(([path]) => path)).toContain('clusters[0].endpoints[1].priority')
    }
  })
})
