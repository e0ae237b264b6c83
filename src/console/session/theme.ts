import { useSyncExternalStore } from 'react';
import { keep, kept } from './kept.ts';

export type ThemeChoice = 'system' | 'light' | 'dark';

const KEY = 'theme';
const wantsDark = matchMedia('(prefers-color-scheme: dark)');
const told = new Set<() => void>();

function read(): ThemeChoice {
  const choice = kept(KEY);
  return choice === 'light' || choice === 'dark' ? choice : 'system';
}

let choice: ThemeChoice = read();

function apply(): void {
  const dark = choice === 'system' ? wantsDark.matches : choice === 'dark';
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  for (const tell of told) tell();
}

/** Follows the system until a person chooses; plots ask for their colours anew when they are told. */
export function startTheme(): void {
  wantsDark.addEventListener('change', apply);
  apply();
}

export function chooseTheme(next: ThemeChoice): void {
  choice = next;
  keep(KEY, next);
  apply();
}

export function onThemeChange(tell: () => void): () => void {
  told.add(tell);
  return () => told.delete(tell);
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(onThemeChange, () => choice);
}
