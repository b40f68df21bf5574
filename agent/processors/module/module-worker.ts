/**
 * The thread of one module: loads it, then takes batches and gives them back processed. See module-host.ts for who limits
 * its time and memory.
 */
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { LogProcessorInstance, LogProcessorModule } from '../extension.ts';
import { applyProcessor } from './apply-processor.ts';
import { describeLoadError } from './load-error.ts';
import type { ModuleMessage, ModuleSetup, ProcessRequest } from './module-messages.ts';

/** What modules may import from here, wherever they are. */
const provided: Readonly<Record<string, string>> = {
  'sonde/log-processor': import.meta.resolve('../extension.ts'),
  zod: import.meta.resolve('zod'),
};

const port = parentPort!;
const send = (message: ModuleMessage, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

async function load({ path, options }: ModuleSetup): Promise<LogProcessorInstance> {
  registerHooks({
    resolve(specifier, context, next) {
      const url = provided[specifier];
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
    },
  });
  const exported = ((await import(pathToFileURL(path).href)) as { default?: LogProcessorModule }).default;
  if (typeof exported?.create !== 'function') {
    throw new TypeError(
      'the default export is no log processor: expected defineLogProcessor({ create() { ... } })',
    );
  }
  const instance = exported.create(
    exported.options === undefined ? options : exported.options.parse(options ?? {}),
  );
  if (typeof instance?.process === 'function') return instance;
  throw new TypeError('create() returned no processor: expected { process(record) { ... } }');
}

function process(instance: LogProcessorInstance, { id, bytes, isMeant }: ProcessRequest): void {
  try {
    const { bytes: processed, counts, records } = applyProcessor(instance, bytes, isMeant);
    send({ kind: 'done', id, bytes: processed, counts, records });
  } catch (error) {
    send({ kind: 'failed', id, reason: describeLoadError(error, (workerData as ModuleSetup).path) });
  }
}

try {
  const instance = await load(workerData as ModuleSetup);
  port.on('message', (request: ProcessRequest) => process(instance, request));
  send({ kind: 'ready' });
} catch (error) {
  send({ kind: 'refused', reason: describeLoadError(error, (workerData as ModuleSetup).path) });
}
