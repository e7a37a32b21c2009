// Holds the loop for two milliseconds of the clock, and needs no CPU for it.
import { defineFilter } from '../../dist/index.js'

const cell = new Int32Array(new SharedArrayBuffer(4))

export default defineFilter({
  name: 'slow',
  onRequest() {
    Atomics.wait(cell, 0, 0, 2)
  },
})
