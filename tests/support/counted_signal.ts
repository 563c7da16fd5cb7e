/**
 * A signal that knows how many listen to it.
 *
 * @module
 */

/** Creates a signal, what fires it, and a count of its listeners. */
export function countedSignal(): { signal: AbortSignal; listeners(): number; abort(): Error } {
  const controller = new AbortController();
  const { signal } = controller;
  const known = new Set<unknown>();
  const add = signal.addEventListener.bind(signal) as (...rest: unknown[]) => void;
  const remove = signal.removeEventListener.bind(signal) as (...rest: unknown[]) => void;
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: unknown, options?: { once?: boolean }) => {
        known.add(listener);
        add(type, listener, options);
        if (options?.once) add(type, () => known.delete(listener), { once: true });
      },
    },
    removeEventListener: {
      value: (type: string, listener: unknown) => {
        known.delete(listener);
        remove(type, listener);
      },
    },
  });
  return {
    signal,
    listeners: () => known.size,
    abort() {
      const reason = new Error("changed my mind");
      controller.abort(reason);
      return reason;
    },
  };
}
