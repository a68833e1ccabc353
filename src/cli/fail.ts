/** What a person did wrong at the command line: exit code 2, as a shell's own commands have it. */
export class UsageError extends Error {}

/** Stopped by Ctrl-C: 128 and the signal's number, as a shell has it. */
export class Interrupted extends Error {}

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
