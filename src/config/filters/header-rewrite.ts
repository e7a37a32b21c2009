/** `header-rewrite`: changes to header lines of requests and answers. */
import * as z from 'zod'
import { lineName, lineValue } from '../routes/headers.js'

const operator =
  /%(?:%|REQ\((?::method|:path|:authority|[^:()%][^()%]*)\)%|RESP\([^:()%][^()%]*\)%|DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%)/gi

const text = lineValue.refine((value) => !value.replace(operator, '').includes('%'), {
  error:
    'holds a percent sign that begins no operator; write %REQ(NAME)%, %RESP(NAME)% or %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%, and %% for the sign itself',
})

const lines = () => z.record(lineName, text).meta({ form: 'name: value' }).prefault({})

const replacement = z
  .strictObject({
    name: lineName.meta({ description: 'Header' }),
    regex: z.string().min(1).max(4096).meta({ description: 'Looked for everywhere in its values; linear-time syntax' }),
    with: z.string().max(4096).meta({ description: 'Takes its place; `$1` is the first group, `$$` a dollar sign' }),
  })
  .meta({ title: 'replace[]' })

const edits = () =>
  z
    .strictObject({
      replace: z.array(replacement).max(64).prefault([]).meta({ description: 'First, on the lines as they came' }),
      remove: z.array(lineName).max(64).prefault([]).meta({ description: 'Then: every line of these names goes' }),
      set: lines().meta({ description: 'Then: one line in place of all of the name' }),
      add: lines().meta({ description: 'Last: a line behind those of the name' }),
    })
    .prefault({})

export const headerRewrite = z
  .strictObject({
    type: z.literal('header-rewrite'),
    request: edits().meta({ description: 'Changes on the way to the endpoint' }),
    response: edits().meta({ description: 'Changes on the way to the client, to local replies too' }),
  })
  .meta({
    title: 'header-rewrite',
    description:
      'Changes header lines. Values may hold %REQ(NAME)%, %REQ(:METHOD)%, %REQ(:AUTHORITY)%, %REQ(:PATH)%, %RESP(NAME)% and %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%; a line whose operators all stand for nothing is not written.',
  })
