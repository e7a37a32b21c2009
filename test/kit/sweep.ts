/** Set up for every test file: its scratch folders go with it. */
import { afterAll } from 'vitest'
import { removeScratch } from './scratch.js'

afterAll(removeScratch)
