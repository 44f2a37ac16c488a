/** Every bound of the codec, and what happens at it. */

/** Containers (maps, arrays) that may be open at once, the message included. One more is malformed. */
export const maximumNesting = 64

/** Items for which an array is allocated ahead; a longer one grows as its items are really read. */
export const maximumPresizedItems = 4096

/** UTF-8 bytes of a field name. A schema with a longer one has no codec. */
export const maximumNameBytes = 64

/** Bytes of the longest string that is interned, in either direction; longer ones are built anew each time. */
export const maximumInternedBytes = 64

/** Slots of the cache of decoded strings, a power of two. A newcomer takes the slot of what was there. */
export const internedSlots = 16_384

/** Slots of the cache of encoded strings, a power of two. A newcomer takes the slot of what was there. */
export const encodedTextSlots = 8192

/** Bytes of one output slab that small encoded messages share; the next message opens a new slab. */
export const outputSlabBytes = 65_536

/** Bytes of the largest work buffer kept between two encodes; a larger one is dropped after use. */
export const maximumRetainedBytes = 4_194_304

/**
 * Octets that pass through the memory of `OctetKernel.ts` at a time; a longer byte field goes in several
 * turns. That memory is 256 KiB from first use, and never grows.
 */
export const kernelOctets = 65_536
