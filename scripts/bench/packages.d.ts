/**
 * The parts of packages without types of their own that are used here.
 *
 * @module
 */

declare module "cli-progress" {
  interface Options {
    readonly format: string;
    readonly stream: NodeJS.WritableStream;
    readonly hideCursor: boolean;
    readonly etaBuffer: number;
  }
  class SingleBar {
    constructor(options: Options, preset: unknown);
    start(total: number, value: number, payload: Readonly<Record<string, string>>): void;
    increment(by: number, payload: Readonly<Record<string, string>>): void;
    stop(): void;
  }
  const cliProgress: { SingleBar: typeof SingleBar; Presets: { shades_classic: unknown } };
  export default cliProgress;
}

declare module "ws" {
  interface WebSocket {
    readonly bufferedAmount: number;
    on(event: "message", listener: (message: Uint8Array) => void): void;
    on(event: "error", listener: () => void): void;
    send(message: Uint8Array, sent?: () => void): void;
    pause(): void;
    resume(): void;
  }
  class WebSocketServer {
    constructor(options: { host: string; port: number; perMessageDeflate: boolean });
    on(event: "connection", listener: (socket: WebSocket) => void): void;
  }
}
