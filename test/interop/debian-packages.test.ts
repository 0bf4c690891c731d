import { describe, expect, it } from 'vitest'
import { missingPackages } from './debian-packages.ts'

const THERE = [process.execPath, '--version'] as const
const FAILS = [process.execPath, '--no-such-option'] as const
const NOT_THERE = ['/no/such/program'] as const

describe('missingPackages()', () => {
  it.each(['true', '1'])('fails if CI is %s and a package is missing, and names it', async CI => {
    const missing = missingPackages({ one: THERE, two: NOT_THERE, three: FAILS }, { CI })
    await expect(missing).rejects.toThrow('CI skips nothing; these Debian packages are missing: two three')
  })

  it.each([undefined, '', 'false'])('answers what is missing if CI is %j', async CI => {
    const missing = await missingPackages({ one: FAILS, two: THERE, three: NOT_THERE }, { CI })
    expect(missing).toEqual(['one', 'three'])
  })

  it('answers nothing in CI if everything is there', async () => {
    expect(await missingPackages({ one: THERE }, { CI: 'true' })).toEqual([])
  })
})
