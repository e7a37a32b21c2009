import { defineConfig } from 'vitest/config'

const setupFiles = ['test/kit/sweep.ts']

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'bench/**/*.test.ts'], setupFiles } },
      { test: { name: 'golden', include: ['test/golden/**/*.test.ts'], setupFiles } },
      {
        test: {
          name: 'integration',
          setupFiles,
          include: ['test/integration/**/*.test.ts'],
          exclude: ['test/integration/h1/**'],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        // One table of what HTTP/1 clients may expect, over the native engine and over the uws door.
        test: {
          name: 'behaviour',
          setupFiles,
          include: ['test/integration/h1/**/*.test.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'packaging',
          setupFiles,
          include: ['test/packaging/**/*.test.ts'],
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
