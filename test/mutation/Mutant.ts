/**
 * A rule switched off, or a fault of the reference planted: an edit of one source text, made while it is loaded, so
 * that the sources themselves carry no switches.
 */

export interface Mutant {
  /** The rule of membership, or the fault of the reference (`F` and its number), or a part of docs/protocol.md. */
  readonly rule: string
  /** What is wrong. */
  readonly name: string
  /** Below `src/domain`. */
  readonly file: string
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
  /** Why nothing can tell this mutant from the rule: another rule does the same. */
  readonly equivalent?: string
}

/** The environment variable that names the mutant to a process. */
export const mutantVariable = "SQUADRON_MUTANT"

/** The text with the edit. Throws when there is not exactly one place for it: then the mutant has to be written anew. */
export const mutate = (mutant: Mutant, source: string): string => {
  const places = source.split(mutant.find).length - 1
  if (places !== 1) {
    throw new Error(`mutant "${mutant.name}" finds ${places} places in ${mutant.file}, not 1: ${mutant.find}`)
  }
  return source.replace(mutant.find, () => mutant.replace)
}

export const isIn = (mutant: Mutant, path: string): boolean => path.endsWith(`/src/domain/${mutant.file}`)
