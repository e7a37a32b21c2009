/** Tells definitions apart that stand in a configuration as values and have no other name. */

const serials = new WeakMap<object, number>()
let last = 0

/** The same number for the same object, on one thread. */
export function serialOf(definition: object): number {
  let serial = serials.get(definition)
  if (serial === undefined) {
    last += 1
    serial = last
    serials.set(definition, serial)
  }
  return serial
}
