/**
 * Comparison of secrets that takes the same time wherever they differ, so that nobody can guess a
 * token character by character. The time depends on the length of what was offered only.
 */
export const equalInConstantTime = (offered: string, secret: string): boolean => {
  let difference = offered.length ^ secret.length
  for (let i = 0; i < offered.length; i++) {
    difference |= offered.charCodeAt(i) ^ secret.charCodeAt(secret.length === 0 ? 0 : i % secret.length)
  }
  return difference === 0
}
