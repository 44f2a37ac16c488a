/** A run that says nothing has caught nothing: what counts as a catch, and what as no verdict. */
import { describe, expect, it } from "vitest"
import { notRun, ofSearch, ofSpecs, overall, type Verdict } from "./Verdict.ts"

const test = (status: string, failureMessages: ReadonlyArray<string> = []) => ({
  status,
  fullName: `a spec that ${status}`,
  failureMessages
})
const report = (success: boolean, tests: ReadonlyArray<ReturnType<typeof test>>, message = ""): string =>
  JSON.stringify({ success, testResults: [{ message, assertionResults: tests }] })
const assertion = test("failed", ["AssertionError: expected 1 to be 2"])
const timeout = test("failed", ["Error: Test timed out in 10000ms.\nIf this is a long-running test"])

const tag = ({ _tag }: Verdict) => _tag

describe("the verdict of a run", () => {
  it.each<readonly [what: string, verdict: Verdict, expected: Verdict["_tag"]]>([
    ["a failed assertion catches", ofSpecs({ output: "" }, report(false, [test("passed"), assertion])), "Caught"],
    ["also beside a spec out of time", ofSpecs({ output: "" }, report(false, [timeout, assertion])), "Caught"],
    ["all specs pass", ofSpecs({ output: "" }, report(true, [test("passed")])), "Unnoticed"],
    ["a spec out of time catches nothing", ofSpecs({ output: "" }, report(false, [timeout])), "NoVerdict"],
    ["nor does one that cannot be loaded", ofSpecs({ output: "" }, report(false, [], "SyntaxError")), "NoVerdict"],
    ["nor a run without report", ofSpecs({ output: "Killed" }, undefined), "NoVerdict"],
    ["nor one with half a report", ofSpecs({ output: "" }, `{"success":false`), "NoVerdict"],
    ["nor one that was ended", ofSpecs({ output: "", limitMs: 1000 }, undefined), "NoVerdict"],
    ["a violation catches", ofSearch({ output: `a note\n{"runs":3,"policy":"majority","violation":"two"}` }), "Caught"],
    ["a search finds nothing", ofSearch({ output: `{"runs":3}` }), "Unnoticed"],
    ["a search that crashes catches nothing", ofSearch({ output: "RangeError: no" }), "NoVerdict"],
    ["nor one that was ended", ofSearch({ output: "", limitMs: 1000 }), "NoVerdict"]
  ])("%s", (_, verdict, expected) => {
    expect(tag(verdict)).toBe(expected)
  })

  it("a mutant is unnoticed only if every run that was made says so", () => {
    const [caught, unnoticed, none] = [
      ofSearch({ output: `{"runs":1,"violation":"v"}` }),
      ofSearch({ output: `{"runs":1}` }),
      ofSearch({ output: "" })
    ]
    expect(overall([none, caught, notRun])).toBe("caught")
    expect(overall([unnoticed, unnoticed, notRun])).toBe("unnoticed")
    expect(overall([unnoticed, none, unnoticed])).toBe("noVerdict")
    expect(overall([notRun])).toBe("noVerdict")
  })
})
