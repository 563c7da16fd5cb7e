/**
 * The file of a Unix-domain socket whose process was killed: nobody listens, and yet the address is in use.
 *
 * @module
 */

/** What is asked of the file system, and of whoever may listen. */
export interface SocketFiles {
  /** Connects to `path` and closes again. Rejects if nobody listens. */
  probe(path: string): Promise<void>;
  /** Whether `error`, thrown by {@linkcode probe}, says that nobody listens. */
  isRefusal(error: unknown): boolean;
  /** Tells one socket file from its successor; `undefined` if `path` is no socket. */
  identify(path: string): Promise<string | undefined>;
  /** Removes the file. */
  remove(path: string): Promise<void>;
}

/** Removes the file at `path` if it is a socket on which nobody listens. Returns whether it did. */
export async function removeStalePath(path: string, files: SocketFiles): Promise<boolean> {
  try {
    const before = await files.identify(path);
    if (before === undefined) return false;
    const refused = await files.probe(path).then(() => false, files.isRefusal);
    // Another process may have done the same meanwhile, and listen now.
    if (!refused || await files.identify(path) !== before) return false;
    await files.remove(path);
    return true;
  } catch {
    // No permission, or gone already: the address is in use as far as we can tell.
    return false;
  }
}
