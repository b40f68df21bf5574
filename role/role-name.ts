/** The roles that the `sonde` command can start. */
export const roleNames = ['up', 'agent', 'collector', 'query'] as const;
export type RoleName = (typeof roleNames)[number];
