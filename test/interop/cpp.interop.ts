import { afterAll, beforeAll, describe } from 'vitest'
import { COMPILE_MS_MAX, type CompiledClient } from './compiled-client.ts'
import { compileCppClient, missingForCpp } from './cpp.ts'
import { itServes } from './foreign-client-suite.ts'

const missing = await missingForCpp()
const why = missing.length > 0 ? ` (skipped: install ${missing.join(' ')})` : ''

describe.skipIf(missing.length > 0)(`a broker called by C++, by generated stubs${why}`, () => {
  let compiled: CompiledClient | undefined
  beforeAll(async () => {
    compiled = await compileCppClient()
  }, COMPILE_MS_MAX)
  afterAll(() => compiled?.remove())

  itServes(target => {
    if (!compiled) throw new Error('the client was not compiled')
    return compiled.clientOf(target)
  })
})
