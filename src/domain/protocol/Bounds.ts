/** What can grow in a node's protocol state, how far, and what happens at the bound. */

/** Addresses a fresh node remembers to ask; further ones are not learned. */
export const maxKnownAddresses = 64
/** Fresh nodes heard during a cold start; of more the seeds are remembered, and the lowest ids. */
export const maxFreshNodes = 256
/** Joins waiting for the next view; further ones are told to come back. */
export const maxQueuedJoins = 256
/** Members, and those that join, up to which each change makes a view at once; of more a view every half interval. */
export const maxEagerMembers = 100
/** Connections to one node; the oldest is closed. */
export const maxConnectionsPerNode = 4
/** Addresses dialled at the same time or waiting to be; further ones wait for a tick. */
export const maxDials = 256
/** Nodes outside the view whose last repair is remembered; further ones get no repair for now. */
export const maxStrangers = 64

/** Former members whose addresses are probed; of more the oldest are forgotten. */
export const maxOutside = 64
/** Foreign lineages probed in one heartbeat interval; further ones wait. */
export const maxForeignLineages = 64

/** UTF-8 bytes of a list in a frame that opens a connection (4 KiB in all); what does not fit is left out. */
export const maxOpeningListBytes = 1024

/** As many of the texts, from the first, as fit into `maxBytes` of UTF-8 with their headers, at worst. */
export const withinBytes = (texts: ReadonlyArray<string>, maxBytes: number): ReadonlyArray<string> => {
  let bytes = 0
  const end = texts.findIndex((text) => (bytes += 3 * text.length + 3) > maxBytes)
  return end < 0 ? texts : texts.slice(0, end)
}

/** Migrations that a table names as completed; of more the latest. A destination that missed its own starts without history. */
export const maxCompletedMigrations = 256

/** Characters of the cause that travels with a view; a longer one is cut. */
export const maxCauseLength = 512

/** Views that a node of the reference may have counted by itself; a version further ahead of ours is not believed. */
export const maxRecount = 1024
/** Terms by which what a node of the reference holds of another part may be ahead; one further ahead is not believed. */
export const maxTermsAhead = 8
/** Versions from one view to the next while nodes of the reference are members. */
export const recountStep = 16
