/** What can grow in a node's protocol state, how far, and what happens at the bound. */

/** Addresses a fresh node remembers to ask; further ones are not learned. */
export const maxKnownAddresses = 64
/** Fresh nodes heard during a cold start; further ones are answered and not remembered. */
export const maxFreshNodes = 256
/** Joins waiting for the next view; further ones are told to come back. */
export const maxQueuedJoins = 256
/** Connections to one node; the oldest is closed. */
export const maxConnectionsPerNode = 4
/** Addresses dialled at the same time or waiting to be; further ones wait for a tick. */
export const maxDials = 256
/** Nodes outside the view whose last repair is remembered; further ones get no repair for now. */
export const maxStrangers = 64
