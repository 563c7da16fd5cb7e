/**
 * Node's transport, whose sockets take themselves for busy from their second chunk on.
 *
 * @module
 */

import { transport as node } from "../../../lib/transport/node.ts";
import type { Transport } from "../../../lib/transport/transport.ts";

/** See above. */
export const transport: Transport = Object.create(node, { busyAfter: { value: 1 } });
