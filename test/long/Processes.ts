/**
 * Scenarios with real processes, sockets and signals: a frozen follower and a frozen master are
 * replaced and rejoin when they thaw, and garbage on the port harms nothing.
 */
import { connect, type Socket } from "node:net"
import { once } from "node:events"
import { setTimeout as wait } from "node:timers/promises"
import { encodeClusterMessage, Frame } from "../../src/index.ts"
import { freePort, ProcessCluster } from "./ProcessCluster.ts"

const ids = ["n1", "n2", "n3", "n4"]
let failures = 0

const scenario = async (name: string, run: (cluster: ProcessCluster) => Promise<string>): Promise<void> => {
  const cluster = new ProcessCluster()
  const start = performance.now()
  try {
    const ports = await Promise.all(ids.map(freePort))
    const seeds = ports.map((port) => `127.0.0.1:${port}`).join(",")
    for (const [index, id] of ids.entries()) {
      cluster.start(id, ports[index] ?? 0, ["--seeds", seeds, "--suspicion-timeout-ms", "2500"])
    }
    await cluster.until("four nodes form one cluster", () => cluster.agree(ids), 20_000)
    const outcome = await run(cluster)
    console.log(`ok     ${name}: ${outcome} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
  } catch (error) {
    failures++
    console.log(`FAILED ${name}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    cluster.dispose()
  }
}

/** Heartbeats must have a rhythm before a freeze is judged by it. */
const settle = (): Promise<void> => wait(6000)

const freezeAndThaw = async (cluster: ProcessCluster, victim: string): Promise<string> => {
  await settle()
  const rest = ids.filter((id) => id !== victim)
  const observer = cluster.get(rest[0] ?? "")
  cluster.get(victim).child.kill("SIGSTOP")
  const suspected = await cluster.until(
    `${victim} is suspected`,
    () => observer.report?.view.members.some((m) => m.nodeId === victim && m.state !== "active") === true,
    3000
  )
  const replaced = suspected + (await cluster.until(`${victim} is promoted away`, () => cluster.agree(rest), 15_000))
  cluster.get(victim).child.kill("SIGCONT")
  const back = await cluster.until(`${victim} rejoins`, () => cluster.agree(ids), 15_000)
  return `suspected after ${suspected.toFixed(0)} ms, out of view and table after ${replaced.toFixed(0)} ms, back ${back.toFixed(0)} ms after the thaw`
}

await scenario("a frozen follower", (cluster) => freezeAndThaw(cluster, "n3"))
await scenario("a frozen master", (cluster) => freezeAndThaw(cluster, "n1"))

await scenario("a stalled process accuses nobody", async (cluster) => {
  await settle()
  const views = cluster.get("n1").reports.length
  for (let i = 0; i < 3; i++) {
    cluster.get("n2").child.kill("SIGSTOP")
    await wait(1200)
    cluster.get("n2").child.kill("SIGCONT")
    await wait(1500)
  }
  const dead = ids.flatMap((id) =>
    cluster
      .get(id)
      .reports.slice(views)
      .flatMap((report) => report.view.members.filter((m) => m.state === "dead"))
  )
  if (dead.length > 0) throw new Error(`declared dead: ${dead.map((member) => member.nodeId).join(", ")}`)
  await cluster.until("all four are active", () => cluster.agree(ids), 5000)
  return "three stalls of 1.2 s, nobody declared dead"
})

await scenario("garbage on the port", async (cluster) => {
  const port = cluster.get("n1").port
  const before = cluster.get("n1").report?.view.version
  const attacks: ReadonlyArray<Uint8Array> = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.from([0, 0, 0, 3, 0xc1, 0xc1, 0xc1]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 100, 0x85]),
    Frame.encode(
      encodeClusterMessage({
        type: "MEMBERS_UPDATE",
        view: { version: Number.MAX_SAFE_INTEGER, members: [] },
        clusterTimeMs: 1
      })
    ),
    Frame.encode(
      encodeClusterMessage({
        type: "HEARTBEAT",
        senderId: "n2",
        timestampMs: 1,
        membersViewVersion: Number.MAX_SAFE_INTEGER,
        suspectedNodes: ["n3", "n4"]
      })
    )
  ]
  const sockets: Array<Socket> = []
  for (let round = 0; round < 20; round++) {
    for (const bytes of attacks) {
      const socket = connect(port, "127.0.0.1")
      socket.on("error", () => undefined)
      await once(socket, "connect")
      socket.write(bytes)
      sockets.push(socket)
    }
  }
  await wait(3000)
  if (!cluster.agree(ids)) throw new Error(`the cluster changed\n${cluster.describe()}`)
  const after = cluster.get("n1").report?.view.version
  if (after !== before) throw new Error(`the view went from ${before} to ${after}`)
  const lines = cluster.get("n1").stderr.length
  for (const socket of sockets) socket.destroy()
  if (lines > 60) throw new Error(`${lines} lines of log`)
  return `${sockets.length} hostile connections, view still ${after}, ${lines} lines of log`
})

process.exitCode = failures === 0 ? 0 : 1
