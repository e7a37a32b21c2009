/** A module that stands in the configuration: a file, or a URL of one. */
import * as z from 'zod'

/** `maker` is the function whose result the module exports; `error` says what the value must be. */
export const module = (maker: string, error: string) =>
  z
    .custom<string | URL>((value) => (typeof value === 'string' && value !== '') || value instanceof URL, { error })
    .meta({
      type: 'string',
      form: 'path or `file:` URL',
      description: `ES module whose default export is \`${maker}({ … })\`; relative to the configuration`,
    })
