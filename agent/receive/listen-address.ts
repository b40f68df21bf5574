/** Where a receiver listens: '0.0.0.0:514', '[::]:514', 'localhost:0'; '' for nowhere. */
import { z } from 'zod';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const addressPattern = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]\s]+)):(\d{1,5})$/;

/** Returns undefined where the text is no address. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = addressPattern.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? match[2]!, port };
}

export const listenAddressSchema = z
  .string()
  .refine((text) => text === '' || parseListenAddress(text) !== undefined, {
    error: "expected host:port, such as 0.0.0.0:514 or [::]:514, or '' to listen nowhere",
  });

/** The address as a person writes it. */
export function renderAddress({ host, port }: ListenAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
