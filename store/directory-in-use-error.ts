/** Another process has the embedded engine's data directory: ask that process, or stop it. */
import { ConfigError } from '#model/errors.ts';

export class DirectoryInUseError extends ConfigError {
  constructor(path: string, options: ErrorOptions) {
    super(
      `data directory ${path} is in use by another sonde process: stop it or give another with --data`,
      options,
    );
  }
}
