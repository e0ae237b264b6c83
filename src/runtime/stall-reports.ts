import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { STALL_PIPE, type StallReport, stallReportSchema } from './host-messages.ts';

/** A process that was ended in the middle of it leaves half a line. */
const reportSchema = z
  .string()
  .transform((line, context) => {
    try {
      return JSON.parse(line);
    } catch {
      context.addIssue('no JSON');
      return z.NEVER;
    }
  })
  .pipe(stallReportSchema);

/** What the thread that watches a process of many conversations writes, a line a report; see `StallWatch`. */
export function readStallReports(child: ChildProcess, onReport: (report: StallReport) => void): void {
  const pipe = child.stdio[STALL_PIPE] as Readable | null | undefined;
  if (!pipe) return;
  const lines = createInterface({ input: pipe });
  lines.on('line', (line) => {
    const report = reportSchema.safeParse(line);
    if (report.success) onReport(report.data);
  });
  pipe.on('error', () => lines.close());
}
