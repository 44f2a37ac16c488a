#!/usr/bin/env node
/**
 * Entry of the command `squadron`. The check of Node's version comes before anything that an older Node
 * could not parse or load: this file imports nothing, and the program only behind the check.
 */

/** Oldest Node that runs the program, as `engines` in package.json says. */
const neededMajor = 22
const neededMinor = 19

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) {
  // Compiled code is kept between starts (in the system's folder for temporary files): half of a start's time.
  void import("node:module")
    .then(({ enableCompileCache }) => enableCompileCache())
    .then(() => import("./Main.ts"))
    .then(({ run }) => run())
} else {
  process.stderr.write(
    `squadron: needs Node ${neededMajor}.${neededMinor} or newer, and this is Node ${process.versions.node}; install a newer one (nodejs.org)\n`
  )
  process.exitCode = 1
}
