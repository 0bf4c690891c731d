import { describe } from 'vitest'
import { itServes } from './foreign-client-suite.ts'
import { createPythonClient, missingForPython } from './python.ts'

const missing = await missingForPython()
const why = missing.length > 0 ? ` (skipped: install ${missing.join(' ')})` : ''

describe.skipIf(missing.length > 0)(`a broker called by Python, by generated stubs${why}`, () => {
  itServes(createPythonClient)
})
