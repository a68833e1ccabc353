import type { Case } from "./case";
import { CONVOLUTION_CASES } from "./convolutions";
import { ELEMENTWISE } from "./elementwise";
import { LEAVES } from "./leaves";
import { NOT_FINITE } from "./not-finite";
import { PRODUCTS } from "./products";
import { REDUCTIONS } from "./reductions";
import { ROWS_BY_INDEX } from "./rows-by-index";
import { SCAN_CASES } from "./scans";
import { VIEW_CASES } from "./views";

export type { Case } from "./case";

/** Cases of every operation, each held to float64 within its bound. */
export const CASES: readonly Case[] = [
  ...ELEMENTWISE,
  ...VIEW_CASES,
  ...CONVOLUTION_CASES,
  ...LEAVES,
  ...REDUCTIONS,
  ...PRODUCTS,
  ...ROWS_BY_INDEX,
  ...NOT_FINITE,
  ...SCAN_CASES,
];
