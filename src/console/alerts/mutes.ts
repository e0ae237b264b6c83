import * as z from 'zod/mini';
import { keep, kept } from '../session/kept.ts';
import type { AlertKind } from './alerts.ts';

/** The ways in which an alert reaches a person who looks elsewhere. */
export type AlertWay = 'sound' | 'title' | 'notification';

export const KINDS: readonly { readonly id: AlertKind; readonly label: string }[] = [
  { id: 'permission', label: 'Waiting for a decision' },
  { id: 'human', label: 'Asks for a human' },
  { id: 'critical', label: 'Critical' },
  { id: 'silence', label: 'Long silence' },
];
export const WAYS: readonly { readonly id: AlertWay; readonly label: string }[] = [
  { id: 'sound', label: 'Sound' },
  { id: 'title', label: 'Tab' },
  { id: 'notification', label: 'Desktop' },
];

export type Mutes = ReadonlySet<string>;
const KEY = 'muted';
const mutesSchema = z.array(z.string());

export const muteOf = (kind: AlertKind, way: AlertWay): string => `${kind} ${way}`;

export function readMutes(): Mutes {
  try {
    return new Set(mutesSchema.parse(JSON.parse(kept(KEY) ?? '[]')));
  } catch {
    return new Set();
  }
}

export function writeMutes(mutes: Mutes): void {
  keep(KEY, JSON.stringify([...mutes]));
}
