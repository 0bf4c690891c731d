import { beforeAll, describe } from 'vitest'
import { tempFolder } from '../temp-folder.ts'
import { COMPILE_MS_MAX } from './compiled-client.ts'
import { itServes } from './foreign-client-suite.ts'
import { compileJavaClient, missingForJava, startJavaClient } from './java.ts'

const missing = await missingForJava()
const why = missing.length > 0 ? ` (skipped: install ${missing.join(' ')})` : ''

describe.skipIf(missing.length > 0)(`a broker called by Java, by generated stubs${why}`, () => {
  let classPath: string
  beforeAll(async () => {
    classPath = await compileJavaClient(tempFolder('java'))
  }, COMPILE_MS_MAX)

  itServes(target => startJavaClient(classPath, target))
})
