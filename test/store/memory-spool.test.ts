import { spoolContract } from './contract-spool.ts'
import { createMemorySpool } from './memory-spool.ts'

spoolContract('The fake in memory', room => {
  const disk = createMemorySpool(room)
  return { open: async () => disk.open() }
})
