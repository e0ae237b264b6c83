import { useState } from 'react';
import { asProblem, type Problem } from '../../client/problem.ts';

export interface Change {
  readonly busy: boolean;
  readonly problem: Problem | null;
  /** What was done, for people; '' until something was. */
  readonly done: string;
  /** True when it worked. */
  readonly run: (work: () => Promise<unknown>, done: string) => Promise<boolean>;
  readonly forget: () => void;
}

/** One thing that a person changes: busy meanwhile, and then done or why not. */
export function useChange(): Change {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [done, setDone] = useState('');
  const run = async (work: () => Promise<unknown>, words: string): Promise<boolean> => {
    setBusy(true);
    setProblem(null);
    setDone('');
    try {
      await work();
      setDone(words);
      return true;
    } catch (error) {
      setProblem(asProblem(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  const forget = (): void => {
    setProblem(null);
    setDone('');
  };
  return { busy, problem, done, run, forget };
}
