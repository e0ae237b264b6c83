import { CircleAlert, Info } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Problem } from '../client/problem.ts';

export function Notice({
  tone = 'plain',
  children,
}: {
  readonly tone?: 'plain' | 'wait' | 'critical';
  readonly children: ReactNode;
}) {
  const Icon = tone === 'plain' ? Info : CircleAlert;
  return (
    <div className={`notice notice-${tone}`}>
      <Icon aria-hidden />
      <div>{children}</div>
    </div>
  );
}

/** What went wrong and what to do about it; read aloud when it appears. */
export function ProblemNotice({ problem }: { readonly problem: Problem | null | undefined }) {
  return (
    <div role="alert">
      {problem && (
        <Notice tone="critical">
          {problem.message} {problem.remedy}
        </Notice>
      )}
    </div>
  );
}
