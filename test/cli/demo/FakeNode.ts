/**
 * Stands in for `squadron node` in tests of the demo: does what the variable FAKE_NODE says and ignores
 * SIGTERM unless told otherwise.
 */
import process from "node:process"

const nodeId = process.argv.find((arg) => arg.startsWith("--node-id="))?.split("=")[1] ?? "?"
const [behaviour = "silent", only = nodeId] = (process.env["FAKE_NODE"] ?? "").split(":")

process.on("SIGTERM", () => {})
process.stdin.resume()
process.stdin.on("end", () => process.exit(3))

if (only === nodeId) {
  switch (behaviour) {
    case "crash":
      console.error(JSON.stringify({ level: "ERROR", message: `${nodeId} has no luck` }))
      process.exitCode = 7
      process.exit()
      break
    case "garbage":
      console.log("{]")
      break
    default:
      console.error(`${nodeId} does nothing`)
  }
}
