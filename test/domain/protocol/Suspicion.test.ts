/** From a missed heartbeat to a removed member, and back. */
import { describe, expect, it } from "vitest"
import { heartbeat, masterOf } from "./Transcript.ts"

/** Keeps these members heard until `untilMs`, once a second. */
const keepHeard = (
  n1: ReturnType<typeof masterOf>,
  untilMs: number,
  suspected: ReadonlyArray<string>,
  reports: Record<string, ReadonlyArray<string>>
): void => {
  for (let now = 1000; now <= untilMs; now += 1000) {
    n1.until(now, suspected)
    for (const [id, suspectedNodes] of Object.entries(reports)) {
      n1.receive(Number(id.slice(1)), heartbeat(id, n1, { suspectedNodes }))
    }
  }
}

describe("suspicion", () => {
  it("a heartbeat in time causes nothing", () => {
    const n1 = masterOf("n1", ["n2"])
    n1.receive(2, heartbeat("n2", n1))
    expect(n1.text()).toMatchInlineSnapshot(`"0 #2 <- HEARTBEAT of n2@2000 in view 3 of n1.1000 settled, table 2"`)
  })

  it("the master's own detector makes a member suspect, a heartbeat makes it active again", () => {
    const n1 = masterOf("n1", ["n2", "n3"]).until(1000, ["n2"])
    n1.text()
    n1.until(1250, ["n2"])
    n1.receive(2, heartbeat("n2", n1)).until(1500)
    const states = n1.text()
    expect(states).toMatchInlineSnapshot(`
      "1250 #2 <- HEARTBEAT of n2@2000 in view 6 of n1.1000 settled, table 3
        #2 -> HEARTBEAT of n1@1000 in view 6 of n1.1000 settled, promise 0 to n1, table 3
        #3 -> HEARTBEAT of n1@1000 in view 6 of n1.1000 settled, promise 0 to n1, table 3
        = master of view 6 of n1.1000 settled [n1@1000 active, n2@2000 suspect, n3@3000 active], table 3
      1500 tick
        publish MemberUpdated n2@2000 active (n2 is heard again)
        note: view 7 settled: n2 is heard again
        #2 -> MEMBERS_UPDATE view 7 of n1.1000 settled [n1@1000 active, n2@2000 active, n3@3000 active]
        #3 -> MEMBERS_UPDATE view 7 of n1.1000 settled [n1@1000 active, n2@2000 active, n3@3000 active]
        = master of view 7 of n1.1000 settled [n1@1000 active, n2@2000 active, n3@3000 active], table 3"
    `)
  })

  it("a member that two of three hear stays: one bad link removes nobody", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    keepHeard(n1, 30_000, ["n2"], { n3: [], n4: [] })
    expect(n1.joined.view.members.find((member) => member.nodeId === "n2")?.state).toBe("suspect")
  })

  it("a member that most do not hear is dead after the suspicion timeout, forgotten later", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    keepHeard(n1, 20_000, ["n2"], { n3: ["n2"], n4: ["n2"] })
    const news = n1
      .text()
      .split("\n")
      .filter((line) => line.includes("note:") || line.includes("publish Member"))
    expect(news.join("\n")).toMatchInlineSnapshot(`
      "  publish MemberUpdated n2@2000 suspect (n2 is suspect)
        note: view 8 settled: n2 is suspect
        publish MemberUpdated n2@2000 dead (n2 is dead (suspected too long))
        note: view 9 settled: n2 is dead (suspected too long)
        publish MemberRemoved n2@2000 dead (n2 is removed)
        note: view 10 settled: n2 is removed"
    `)
  })

  it("a member that hears nobody is out although all hear it: a link is bad by the word of either end", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    const stateOfN2 = () => n1.joined.view.members.find((member) => member.nodeId === "n2")?.state
    const reports = { n2: ["n1", "n3", "n4"], n3: [], n4: [] }
    keepHeard(n1, 3000, [], reports)
    expect(stateOfN2()).toBe("suspect")
    keepHeard(n1, 20_000, [], reports)
    expect(n1.text()).toContain("n2 is dead (suspected too long)")
  })

  it("what a member said of others counts for 3.5 intervals, not until it speaks again", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    const stateOfN2 = () => n1.joined.view.members.find((member) => member.nodeId === "n2")?.state
    for (const id of ["n3", "n4"]) n1.receive(Number(id.slice(1)), heartbeat(id, n1, { suspectedNodes: ["n2"] }))
    n1.until(3000)
    expect(stateOfN2()).toBe("suspect")
    n1.until(4000)
    expect(stateOfN2()).toBe("active")
  })

  it("a suspicion that is interrupted begins anew", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    keepHeard(n1, 9000, ["n2"], { n3: ["n2"], n4: ["n2"] })
    for (const id of ["n2", "n3", "n4"]) n1.receive(Number(id.slice(1)), heartbeat(id, n1))
    n1.until(9500)
    for (let now = 10_000; now <= 18_000; now += 1000) {
      n1.until(now, ["n2"])
      for (const id of ["n3", "n4"]) n1.receive(Number(id.slice(1)), heartbeat(id, n1, { suspectedNodes: ["n2"] }))
    }
    expect(n1.text()).not.toContain("is dead")
  })

  it("a suspicion that most do not share for a moment begins anew, though the member stays suspect", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    const stateOf = () => n1.joined.view.members.find((member) => member.nodeId === "n4")?.state
    keepHeard(n1, 7000, ["n4"], { n2: ["n4"], n3: [] })
    keepHeard(n1, 9000, ["n4"], { n2: [], n3: [] })
    expect(stateOf()).toBe("suspect")
    keepHeard(n1, 17_000, ["n4"], { n2: ["n4"], n3: [] })
    expect(stateOf()).toBe("suspect")
    keepHeard(n1, 21_000, ["n4"], { n2: ["n4"], n3: [] })
    expect(stateOf()).toBe("dead")
  })

  it("a complaint of the reference counts like a suspicion in a heartbeat", () => {
    const n1 = masterOf("n1", ["n2", "n3"])
    n1.receive(3, {
      type: "HEARTBEAT_COMPLAINT",
      complainerId: "n3",
      complainerViewVersion: 0,
      suspectId: "n2",
      suspectViewVersion: 0
    })
    const report = [...n1.state.peers].find(([nodeId]) => nodeId === "n3")?.[1].report
    expect(report?.suspected).toEqual(["n2"])
  })

  it("a complaint about a node outside the view is not kept", () => {
    const n1 = masterOf("n1", ["n2", "n3"])
    n1.receive(3, {
      type: "HEARTBEAT_COMPLAINT",
      complainerId: "n3",
      complainerViewVersion: 0,
      suspectId: "nobody",
      suspectViewVersion: 0
    })
    const report = [...n1.state.peers].find(([nodeId]) => nodeId === "n3")?.[1].report
    expect(report?.suspected).toEqual([])
  })

  it("a process that stood still accuses nobody of its own silence", () => {
    const n1 = masterOf("n1", ["n2", "n3"]).sleep(30_000).tick(["n2", "n3"])
    expect(n1.text()).toMatchInlineSnapshot(`
      "30000 tick
        note: this process stood still for 29750 ms; it judges nobody for two heartbeats
        #2 -> HEARTBEAT of n1@1000 in view 5 of n1.1000 settled, promise 0 to n1, table 3
        #3 -> HEARTBEAT of n1@1000 in view 5 of n1.1000 settled, promise 0 to n1, table 3"
    `)
    expect(n1.until(31_500, ["n2", "n3"]).joined.suspected).toEqual([])
  })
})
