import { describe } from 'vitest'
import { itServes } from './foreign-client-suite.ts'
import { createRubyClient, missingForRuby } from './ruby.ts'

const missing = await missingForRuby()
const why = missing.length > 0 ? ` (skipped: install ${missing.join(' ')})` : ''

describe.skipIf(missing.length > 0)(`a broker called by Ruby, by generated stubs${why}`, () => {
  itServes(createRubyClient)
})
