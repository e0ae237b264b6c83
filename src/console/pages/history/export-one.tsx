import { Download } from 'lucide-react';
import { useState } from 'react';
import { asProblem, type Problem } from '../../client/problem.ts';
import { Button } from '../../components/button.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { download } from '../shared/download.ts';

const FORMATS = [
  { format: 'markdown', extension: 'md', label: 'Export as text' },
  { format: 'json', extension: 'json', label: 'Export as JSON' },
] as const;

/** Takes one conversation away; the audit log says who did. */
export function ExportOne({ id }: { readonly id: string }) {
  const { session } = useApp();
  const [busy, setBusy] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const save = async (format: string, extension: string): Promise<void> => {
    setBusy(format);
    setProblem(null);
    try {
      const path = `/v1/archives/${id}/export?format=${format}`;
      await download(path, session.accessToken, `interaction-${id}.${extension}`);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy('');
    }
  };
  return (
    <div className="row">
      {FORMATS.map(({ format, extension, label }) => (
        <Button key={format} isPending={busy === format} onPress={() => void save(format, extension)}>
          <Download aria-hidden />
          {label}
        </Button>
      ))}
      <ProblemNotice problem={problem} />
    </div>
  );
}
