import { bytesOf } from "../graph/ops";

/** Bytes of one of a vector's four numbers. Loops count in them, so that a counter is an address's part. */
export const LANE_BYTES = bytesOf("float32");
/** Bytes of a vector. */
export const VECTOR_BYTES = 4 * LANE_BYTES;
