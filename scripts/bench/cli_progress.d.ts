/**
 * The part of cli-progress that `progress.mjs` uses: it has no types of its own.
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
