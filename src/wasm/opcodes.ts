import { atomic, simd } from "./encoder";

/** The instructions that the generator uses. Source: WebAssembly core 2.0, §5.4, and the relaxed SIMD proposal. */
export const UNREACHABLE = 0x00;
export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const CALL = 0x10;
export const VOID = 0x40;
export const LOCAL_GET = 0x20;
export const LOCAL_SET = 0x21;
export const TEE = 0x22;
export const DROP = 0x1a;
export const SELECT = 0x1b;
export const I32_CONST = 0x41;
export const GLOBAL_GET = 0x23;
export const GLOBAL_SET = 0x24;

export const I32_EQZ = 0x45;
export const I32_EQ = 0x46;
export const I32_NE = 0x47;
export const I32_LT_U = 0x49;
export const I32_GT_U = 0x4b;
export const I32_GE_U = 0x4f;
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_MUL = 0x6c;
export const I32_DIV_U = 0x6e;
export const I32_REM_U = 0x70;
export const I32_SHR = 0x75;
export const I32_SHR_U = 0x76;
/** Of threads: source is the threads proposal, part of WebAssembly core 3.0. */
export const ATOMIC_LOAD = atomic(0x10);
export const ATOMIC_STORE = atomic(0x17);
export const ATOMIC_ADD = atomic(0x1e);
export const MEMORY_COPY = [0xfc, 10, 0, 0];
export const MEMORY_FILL = [0xfc, 11, 0];

export const V_LOAD = simd(0x00);
export const V_LOAD32_SPLAT = simd(0x09);
export const V_STORE = simd(0x0b);
export const V_CONST = simd(0x0c);
export const V_SHUFFLE = simd(0x0d);
export const V_AND = simd(0x4e);
export const V_ANDNOT = simd(0x4f);
export const V_OR = simd(0x50);
export const V_XOR = simd(0x51);
export const V_BITSELECT = simd(0x52);
export const V_LOAD32_LANE = simd(0x56);
export const V_STORE32_LANE = simd(0x5a);
export const V_LOAD32_ZERO = simd(0x5c);

export const I_SPLAT = simd(0x11);
export const I_EXTRACT = simd(0x1b);
export const I_REPLACE = simd(0x1c);
export const I_EQ = simd(0x37);
export const I_NE = simd(0x38);
export const I_LT = simd(0x39);
export const I_GT = simd(0x3b);
export const I_LE = simd(0x3d);
export const I_GE = simd(0x3f);
export const I_SHL = simd(0xab);
export const I_SHR = simd(0xac);
export const I_SHR_U = simd(0xad);
export const I_ADD = simd(0xae);
export const I_SUB = simd(0xb1);
export const I_MUL = simd(0xb5);
export const I_MIN = simd(0xb6);
export const I_MAX = simd(0xb8);

export const F_EQ = simd(0x41);
export const F_NE = simd(0x42);
export const F_LT = simd(0x43);
export const F_GT = simd(0x44);
export const F_LE = simd(0x45);
export const F_GE = simd(0x46);
export const F_CEIL = simd(0x67);
export const F_FLOOR = simd(0x68);
export const F_NEAREST = simd(0x6a);
export const F_ABS = simd(0xe0);
export const F_NEG = simd(0xe1);
export const F_SQRT = simd(0xe3);
export const F_ADD = simd(0xe4);
export const F_SUB = simd(0xe5);
export const F_MUL = simd(0xe6);
export const F_DIV = simd(0xe7);
export const F_MIN = simd(0xe8);
export const F_MAX = simd(0xe9);
/** b < a ? b : a, one instruction everywhere. */
export const F_PMIN = simd(0xea);
/** a < b ? b : a. */
export const F_PMAX = simd(0xeb);
/** a * b + c, rounded once or twice, as the machine likes it. */
export const F_MADD = simd(0x105);

export const D_NEAREST = simd(0x94);
export const D_ADD = simd(0xf0);
export const D_SUB = simd(0xf1);
export const D_MUL = simd(0xf2);
export const D_PMIN = simd(0xf6);
export const D_PMAX = simd(0xf7);
export const D_PROMOTE = simd(0x5f);
export const D_DEMOTE = simd(0x5e);
export const TRUNCATE = simd(0xf8);
export const CONVERT = simd(0xfa);
