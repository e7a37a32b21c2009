import { defineConfig } from 'vitest/config'

const setupFiles = ['test/kit/sweep.ts']
/** Derived keys and hundreds of small stores take seconds on a busy machine. */
const testTimeout = 60_000
/** What comes soon on an idle machine comes on a busy one, too: a bound of one second would judge the machine. */
const patient = { poll: { timeout: 10_000 } }

/**
 * Real processes, clocks and kernels on a machine that is shared: what fails twice in a row is wrong. Who needed a second
 * try is named by the reporter (`retry x1`), and wants to be mended.
 */
const retry = 1

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles,
          include: ['test/unit/**/*.test.ts', 'bench/**/*.test.ts'],
          testTimeout,
          expect: patient,
        },
      },
      { test: { name: 'golden', setupFiles, include: ['test/golden/**/*.test.ts'], testTimeout } },
      {
        test: {
          name: 'integration',
          setupFiles,
          include: ['test/integration/**/*.test.ts'],
          exclude: ['test/integration/h1/**'],
          testTimeout,
          retry,
          expect: patient,
          fileParallelism: false,
        },
      },
      {
        // One table of what HTTP/1 clients may expect, over the native engine and over the uws door.
        test: {
          name: 'behaviour',
          setupFiles,
          include: ['test/integration/h1/**/*.test.ts'],
          testTimeout,
          expect: patient,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'packaging',
          setupFiles,
          include: ['test/packaging/**/*.test.ts'],
          testTimeout: 120_000,
          expect: patient,
          fileParallelism: false,
        },
      },
    ],
  },
})
