/**
 * Reads a stream to its end as UTF-8.
 *
 * @returns `undefined` if it is longer than `bytesMax`; then it is not read on
 */
export async function collectText(
  stream: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
