import { describe } from 'vitest'
import { createBufClient } from './buf.ts'
import { itServes } from './foreign-client-suite.ts'

describe('a broker called by buf curl, by reflection', () => {
  itServes(createBufClient)
})
