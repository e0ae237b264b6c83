import type { Schemas } from '../client/api.ts';

/** What became of an ended conversation. */
export function SummaryPanel({ archive }: { readonly archive: NonNullable<Schemas['Archive']> }) {
  const { summary, summary_source, csat_score, fcr_status } = archive;
  return (
    <section className="panel" aria-labelledby="summary-title">
      <h2 id="summary-title" className="panel-title">
        Summary
      </h2>
      <p className="said-words">{summary}</p>
      <p className="field-hint">
        {summary_source === 'model' ? 'Written by the model' : 'From the facts alone'}
        {csat_score !== null && ` · satisfaction ${Math.round(csat_score * 10) / 10}`}
        {fcr_status !== null && ` · ${fcr_status ? 'resolved at first contact' : 'came back about it'}`}
      </p>
    </section>
  );
}
