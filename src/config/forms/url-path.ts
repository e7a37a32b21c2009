/** Paths as routes compare and write them: in the one spelling that requests are brought into before they are matched. */
import * as z from 'zod'

/** Why a text is not a path in its normal spelling; null when it is. */
export function pathFault(text: string): string | null {
  if (!text.startsWith('/')) return 'a path begins with a slash'
  if (/[?#]/.test(text)) return 'a path carries no query and no fragment'
  if (!/^[!-~]*$/.test(text) || text.includes('\\'))
    return 'spaces, \\ and letters beyond ASCII are written as escapes: %20'
  if (text.includes('//')) return 'requests reach routes with // merged: write one slash'
  if (/\/\.{1,2}(\/|$)/.test(text)) return 'requests reach routes without . and .. segments'
  const escaped = /%(?![0-9A-Fa-f]{2})|%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)/i.exec(text)?.[0]
  if (escaped === '%') return '% begins an escape of two hex digits'
  if (escaped !== undefined) return `requests reach routes with ${escaped} decoded: write the character itself`
  return null
}

export function urlPath() {
  return z
    .string()
    .max(4096)
    .superRefine((text, context) => {
      const message = pathFault(text)
      if (message !== null) context.addIssue({ code: 'custom', message })
    })
    .meta({ form: 'path' })
}
