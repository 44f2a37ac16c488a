/** Whether this runtime lets us generate code: browsers under a content security policy and some workers do not. */

let allowed: boolean | undefined

/** Tried once, on first use. */
export const canGenerateCode = (): boolean => (allowed ??= tryGeneration())

const tryGeneration = (): boolean => {
  try {
    return new Function("return true")() === true
  } catch {
    return false
  }
}
