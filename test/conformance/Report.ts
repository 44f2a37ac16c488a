/** What one set of conformance cases found. */
export interface Failure {
  readonly name: string
  readonly reason: string
}

export interface Report {
  readonly suite: string
  readonly cases: number
  readonly failures: ReadonlyArray<Failure>
}
