/** `Telemetry` (Istio): what workloads log of requests, and which requests are traced. */
import * as z from 'zod'
import { notYet, notYetKeys } from '../../config/forms/not-yet.js'
import { targetRef } from './gateway-references.js'
import { labels, resourceKind } from './kind.js'

const provider = z.strictObject({ name: z.string().min(1) })
const match = z
  .strictObject({ mode: z.enum(['CLIENT_AND_SERVER', 'CLIENT', 'SERVER']).default('CLIENT_AND_SERVER') })
  .prefault({})

const accessLogging = z.strictObject({
  match,
  providers: z.array(provider).default([]),
  disabled: z.boolean().default(false),
  filter: z.strictObject({ expression: z.string().min(1) }).optional(),
})

const customTag = z
  .strictObject({
    literal: z.strictObject({ value: z.string().min(1) }).optional(),
    header: z.strictObject({ name: z.string().min(1), defaultValue: z.string().default('') }).optional(),
    environment: z.strictObject({ name: z.string().min(1), defaultValue: z.string().default('') }).optional(),
    formatter: z.strictObject({ value: z.string().min(1) }).optional(),
  })
  .refine((tag) => Object.values(tag).filter((one) => one !== undefined).length === 1, {
    error: 'must have one of literal, header, environment and formatter',
  })

const tracing = z.strictObject({
  match,
  providers: z.array(provider).max(1).default([]),
  disableSpanReporting: z.boolean().optional(),
  randomSamplingPercentage: z.number().min(0).max(100).optional(),
  customTags: z.record(z.string().min(1), customTag).default({}),
  ...notYetKeys('useRequestIdForTraceSampling', 'enableIstioTags'),
})

export const telemetry = resourceKind({
  apiVersions: ['telemetry.istio.io/v1', 'telemetry.istio.io/v1alpha1'],
  kind: 'Telemetry',
  spec: z
    .strictObject({
      selector: z.strictObject({ matchLabels: labels.default({}) }).optional(),
      targetRefs: z.array(targetRef).min(1).max(16).optional(),
      accessLogging: z.array(accessLogging).default([]),
      tracing: z.array(tracing).default([]),
      metrics: notYet('remove it: a plain Envoy lacks the filter that it steers; its own are at /stats/prometheus'),
      targetRef: targetRef.optional(),
    })
    .refine(({ selector, targetRefs }) => selector === undefined || targetRefs === undefined, {
      error: 'may not stand beside selector',
      path: ['targetRefs'],
    })
    .refine((spec) => spec.targetRef === undefined || (spec.selector ?? spec.targetRefs) === undefined, {
      error: 'may not stand beside selector or targetRefs',
      path: ['targetRef'],
    })
    // The older spelling of a list of one.
    .transform(({ targetRef: one, ...spec }) => (one === undefined ? spec : { ...spec, targetRefs: [one] })),
})

export type TelemetrySpec = z.output<typeof telemetry.spec>
export type AccessLoggingEntry = TelemetrySpec['accessLogging'][number]
export type TracingEntry = TelemetrySpec['tracing'][number]
