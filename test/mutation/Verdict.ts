/**
 * What a run says about a mutant: something broke because of it, nothing did, or the run says nothing. A run that was
 * ended, crashed or ran out of time has not caught anything: a busy machine does the same to the sources as they are.
 */
import { Option, Schema } from "effect"

export type Verdict =
  | { readonly _tag: "Caught"; readonly by: string }
  | { readonly _tag: "Unnoticed" }
  | { readonly _tag: "NoVerdict"; readonly why: string }
  /** The kind of run was left out: another had caught the mutant, or it does not apply. */
  | { readonly _tag: "NotRun" }

/** A process that has ended, or was ended after so many milliseconds. */
export interface Ended {
  readonly output: string
  readonly limitMs?: number
}

const caught = (by: string): Verdict => ({ _tag: "Caught", by })
const noVerdict = (why: string): Verdict => ({ _tag: "NoVerdict", why })
export const notRun: Verdict = { _tag: "NotRun" }
const unnoticed: Verdict = { _tag: "Unnoticed" }

const lastLine = ({ output }: Ended): string => output.trim().split("\n").at(-1) ?? ""

const isTooLate = ({ limitMs }: Ended): Verdict | undefined =>
  limitMs === undefined ? undefined : noVerdict(`it did not end within ${(limitMs / 1000).toFixed(0)} s`)

const VitestReport = Schema.fromJsonString(
  Schema.Struct({
    success: Schema.Boolean,
    testResults: Schema.Array(
      Schema.Struct({
        message: Schema.String,
        assertionResults: Schema.Array(
          Schema.Struct({
            status: Schema.String,
            fullName: Schema.String,
            failureMessages: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String)))
          })
        )
      })
    )
  })
)
const decodeReport = Schema.decodeUnknownOption(VitestReport)

// What vitest says of a test that took longer than its limit.
const tookTooLong = /^(Error: )?(Test|Hook) timed out in/

/** Of a run of specs, by the JSON report that it has written, if it has. */
export const ofSpecs = (ended: Ended, written: string | undefined): Verdict => {
  const report = written === undefined ? undefined : Option.getOrUndefined(decodeReport(written))
  if (report === undefined) return isTooLate(ended) ?? noVerdict(`no report: ${lastLine(ended)}`)
  if (report.success) return unnoticed
  const failed = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "failed")
  )
  const broken = failed.find(({ failureMessages }) => !(failureMessages ?? []).some((text) => tookTooLong.test(text)))
  if (broken !== undefined) return caught(broken.fullName)
  const [slow] = failed
  if (slow !== undefined) return noVerdict(`out of time: ${slow.fullName}`)
  return noVerdict(report.testResults.find(({ message }) => message !== "")?.message ?? "no spec has failed")
}

const Found = Schema.fromJsonString(
  Schema.Struct({
    runs: Schema.Int,
    seed: Schema.optionalKey(Schema.Int),
    nodes: Schema.optionalKey(Schema.Int),
    policy: Schema.optionalKey(Schema.String),
    violation: Schema.optionalKey(Schema.String)
  })
)
const decodeFound = Schema.decodeUnknownOption(Found)

/** Of a search, by the line of JSON that it ends with: after how many runs, or steps, it found something, and what. */
export const ofSearch = (ended: Ended): Verdict => {
  const found = Option.getOrUndefined(decodeFound(lastLine(ended)))
  if (found === undefined) return isTooLate(ended) ?? noVerdict(`no result: ${lastLine(ended)}`)
  const { policy, runs, violation } = found
  return violation === undefined ? unnoticed : caught(`${runs}, ${policy}: ${violation}`)
}

/** What is known of a mutant after all of its runs: one that caught it is enough, and silence counts only if complete. */
export const overall = (verdicts: ReadonlyArray<Verdict>): "caught" | "unnoticed" | "noVerdict" => {
  const tags = new Set(verdicts.map(({ _tag }) => _tag))
  if (tags.has("Caught")) return "caught"
  return tags.has("NoVerdict") || !tags.has("Unnoticed") ? "noVerdict" : "unnoticed"
}

/** As it stands in the table. */
export const describe = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "Caught":
      return verdict.by
    case "NoVerdict":
      return `no verdict: ${verdict.why}`
    case "Unnoticed":
    case "NotRun":
      return "–"
  }
}
