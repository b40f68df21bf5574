/**
 * Where log files are looked for, and what is known of those who write them.
 */
import type { LogResource } from '../resource/path-resource.ts';
import type { FileGlob } from './file-glob.ts';

/** How a file's lines are taken. */
export interface FileRules {
  /** False: nothing of it is shipped. */
  readonly isCollected: boolean;
  /** 'auto' (stack traces), 'off', or a regular expression (RE2) that matches the first line of each record. */
  readonly multiline: string;
  /** The parser whose fields become attributes (see agent/processors), '' for none. */
  readonly parse: string;
  /** Bytes a second that the file may grow by; what exceeds it is dropped and counted. 0: no limit. */
  readonly rateLimitBytes: number;
}

export interface LogSource {
  readonly glob: FileGlob;
  /** Files that symbolic links lead out of this directory are not read: a container can make any link. */
  readonly base?: string;
  /** Of all its files, over what their paths say: they are files inside of a container. */
  readonly origin?: FileOrigin;
}

/** Who writes a file, as far as it is known beyond the file's path. */
export interface FileOrigin {
  readonly attributes: LogResource;
  readonly rules: FileRules;
}

/** Knows the writers of log files. Answers at once, from memory. */
export interface LogOrigins {
  /**
   * Undefined: nobody knows of a writer, and nobody will. 'awaited': the path is a container's that is not known yet: its
   * lines wait in the file for a short while.
   */
  find(path: string): FileOrigin | 'awaited' | undefined;
  /** Files inside of containers, and the like: beside those of the configuration. */
  sources(): readonly LogSource[];
  /** Rises when find() or sources() may answer otherwise. */
  readonly revision: number;
}

/** What a file is followed with. */
export interface FileDescription {
  readonly resource: LogResource;
  readonly rules: FileRules;
  /** The answer of a LogOrigins is still to come. */
  readonly isAwaited: boolean;
}
