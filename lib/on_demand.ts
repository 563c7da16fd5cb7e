/**
 * Parts that many never need, as sessions or the PROXY protocol: they are loaded when they are first asked for, so that
 * whoever bundles the library for a page or a worker does not load them at the start.
 *
 * @module
 */

/** A module that is loaded once, when it is first needed. */
export class OnDemand<Module> {
  readonly #load: () => Promise<Module>;
  #module: Module | undefined;

  /** @param load Imports the module. */
  constructor(load: () => Promise<Module>) {
    this.#load = load;
  }

  /** The module, at once if it is there already: what runs on a clock that stands still cannot wait for a file. */
  get(): Module | Promise<Module> {
    return this.#module ?? this.#load().then((module) => this.#module = module);
  }

  /** Says that the module is there already. */
  provide(module: Module): void {
    this.#module = module;
  }
}
