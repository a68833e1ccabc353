/** What stops a run between submissions; as an AbortSignal. */
export type Stop = Pick<AbortSignal, "aborted" | "reason" | "throwIfAborted">;

/** Stops by a signal, and where `other` gives another reason. */
export function stopBy(signal: Stop | undefined, other: () => Error | null): Stop {
  return {
    get aborted() {
      return (signal?.aborted ?? false) || other() !== null;
    },
    get reason() {
      return signal?.aborted ? signal.reason : other();
    },
    throwIfAborted() {
      signal?.throwIfAborted();
      const why = other();
      if (why) throw why;
    },
  };
}
