/** /proc/sys/kernel/random: entropy_avail "256"  ->  node_entropy_available_bits 256 */
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, gauge, sampleOf } from '../host-sample.ts';

const available = gauge('node_entropy_available_bits', 'Bits of available entropy.');
const poolSize = gauge('node_entropy_pool_size_bits', 'Bits of the entropy pool.');

export const entropyCollector: HostCollector = {
  name: 'entropy',
  isDefault: true,
  reads: '/proc/sys/kernel/random/{entropy_avail,poolsize}',
  makes: 'node_entropy_available_bits, node_entropy_pool_size_bits',
  create: (files) => () => [
    ...sampleOf(available, fieldNumber(files.proc('sys/kernel/random/entropy_avail').trim())),
    ...sampleOf(poolSize, fieldNumber(files.procIfAny('sys/kernel/random/poolsize')?.trim())),
  ],
};
