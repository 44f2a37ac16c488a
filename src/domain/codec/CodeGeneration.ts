/**
 * Code generation at run time, where it is allowed: browsers under a content security policy and some
 * workers forbid it. Sources are built from schemas only, never from what a peer sent.
 */

/** Evaluates the body of a function of these parameters. Throws where generation is forbidden. */
export const generate = (parameters: Readonly<Record<string, unknown>>, body: string): unknown => {
  // oxlint-disable-next-line typescript/no-implied-eval -- the one place where code is generated
  const evaluate = new Function(...Object.keys(parameters), `"use strict"\n${body}`)
  return evaluate(...Object.values(parameters))
}

let allowed: boolean | undefined

/** Whether this runtime lets us generate code. Tried once, on first use. */
export const canGenerateCode = (): boolean => (allowed ??= tryGeneration())

const tryGeneration = (): boolean => {
  try {
    return generate({}, "return true") === true
  } catch {
    return false
  }
}
