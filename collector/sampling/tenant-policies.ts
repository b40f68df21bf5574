/**
 * The policies of each tenant in one partition: every tenant has sets of its own, as rates are counted in them.
 */
import type { Policy } from './policy-schema.ts';
import { PolicySet } from './policy-set.ts';

export interface ConfiguredPolicies {
  /** For tenants that have none of their own. None: they are not sampled. */
  readonly common: readonly Policy[];
  readonly ofTenant: ReadonlyMap<string, readonly Policy[]>;
}

export interface TenantEntry {
  /** Tells the traces of tenants apart; fits into 16 bits. */
  readonly index: number;
  readonly policies: PolicySet;
}

/** Tenants come by name with the data: those beyond share the last entry, and its rates. */
const tenantsMax = 10_000;

export class TenantPolicies {
  /** Of the set with the most conditions. */
  readonly conditionCount: number;
  readonly #configured: ConfiguredPolicies;
  readonly #rateShare: number;
  readonly #entries: TenantEntry[] = [];
  readonly #byTenant = new Map<string, TenantEntry>();
  #shared: TenantEntry | undefined;

  constructor(configured: ConfiguredPolicies, rateShare: number) {
    this.#configured = configured;
    this.#rateShare = rateShare;
    const lists = [configured.common, ...configured.ofTenant.values()];
    this.conditionCount = Math.max(...lists.map((list) => new PolicySet(list, 1).conditions.count));
  }

  /** Returns undefined for a tenant whose traces are all kept. */
  entryOf(tenant: string): TenantEntry | undefined {
    const own = this.#configured.ofTenant.get(tenant);
    const policies = own ?? this.#configured.common;
    if (policies.length === 0) return undefined;
    const known = this.#byTenant.get(tenant);
    if (known !== undefined) return known;
    if (own === undefined && this.#byTenant.size >= tenantsMax) {
      this.#shared ??= this.#add(policies);
      return this.#shared;
    }
    const entry = this.#add(policies);
    this.#byTenant.set(tenant, entry);
    return entry;
  }

  entryAt(index: number): TenantEntry {
    return this.#entries[index]!;
  }

  #add(policies: readonly Policy[]): TenantEntry {
    const entry = { index: this.#entries.length, policies: new PolicySet(policies, this.#rateShare) };
    this.#entries.push(entry);
    return entry;
  }
}
