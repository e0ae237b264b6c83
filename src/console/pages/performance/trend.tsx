import 'uplot/dist/uPlot.min.css';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import { answer, type Schemas } from '../../client/api.ts';
import { Select } from '../../components/field.tsx';
import { Table, type TableColumn } from '../../components/table.tsx';
import { useApp } from '../../session/app-context.ts';
import { onThemeChange } from '../../session/theme.ts';
import { Loaded } from '../shared/query-state.tsx';

type Day = Schemas['PerformanceDay'];

const HEIGHT_PX = 240;
const SPANS = [
  { id: '7', label: '7 days' },
  { id: '30', label: '30 days' },
  { id: '90', label: '90 days' },
];

const round = (value: number | null, unit = ''): string =>
  value === null ? '–' : `${Math.round(value)}${unit}`;

const DAYS: TableColumn<Day>[] = [
  { id: 'day', title: 'Day', isName: true, cell: ({ day }) => day },
  { id: 'count', title: 'Conversations', isNumber: true, cell: ({ interactions }) => interactions },
  { id: 'csat', title: 'CSAT', isNumber: true, cell: ({ avg_csat }) => round(avg_csat) },
  {
    id: 'fcr',
    title: 'First contact',
    isNumber: true,
    cell: ({ fcr_percentage }) => round(fcr_percentage, ' %'),
  },
];

const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(element: HTMLElement, days: readonly Day[]): uPlot {
  const axis = {
    stroke: () => colour('--ink-3'),
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const line = (label: string, name: string, dash?: number[]): uPlot.Series => ({
    label,
    stroke: () => colour(name),
    width: 2,
    // A day without conversations is no zero: the line goes on to the next one that has some.
    spanGaps: true,
    points: { show: true, size: 5 },
    ...(dash ? { dash } : {}),
  });
  return new uPlot(
    {
      width: Math.max(element.clientWidth, 200),
      height: HEIGHT_PX,
      cursor: { show: false },
      legend: { show: false },
      scales: { x: { time: true }, y: { range: [0, 100] } },
      // Days are days of the business: drawn as UTC, they are not moved by the browser's own zone.
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
      axes: [
        { ...axis, size: 28, space: 70 },
        { ...axis, size: 34, splits: () => [0, 25, 50, 75, 100] },
      ],
      series: [{}, line('CSAT', '--accent'), line('First contact', '--human', [6, 4])],
    },
    [
      days.map(({ day }) => Date.parse(`${day}T00:00:00Z`) / 1_000),
      days.map(({ avg_csat }) => avg_csat),
      days.map(({ fcr_percentage }) => fcr_percentage),
    ],
    element,
  );
}

/** A picture for those who see it; the same numbers stand in the table below it. */
function Chart({ days }: { readonly days: readonly Day[] }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const plot = draw(element, days);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== plot.width) {
        plot.setSize({ width: element.clientWidth, height: HEIGHT_PX });
      }
    });
    observer.observe(element);
    const endTheme = onThemeChange(() => plot.redraw());
    return () => {
      observer.disconnect();
      endTheme();
      plot.destroy();
    };
  }, [days]);
  return (
    <div
      ref={place}
      className="chart"
      role="img"
      aria-label="CSAT and first contact by day; the numbers are in the table"
    />
  );
}

/** How first contact and satisfaction went, day by day. */
export function Trend() {
  const { api } = useApp();
  const [span, setSpan] = useState('30');
  const series = useQuery({
    queryKey: ['performance-series', span],
    queryFn: ({ signal }) =>
      answer(api.GET('/v1/performance/series', { params: { query: { days: Number(span) } }, signal })),
    placeholderData: (before) => before,
  });
  return (
    <section className="panel stack" aria-label="Over time">
      <div className="row-between">
        <h2>First contact and CSAT over time</h2>
        <Select label="Span" labelHidden choices={SPANS} value={span} onChange={setSpan} />
      </div>
      <Loaded query={series} what="the days">
        {({ data }) => (
          <>
            <p className="legend">
              <span className="legend-csat">CSAT, 0 to 100</span>
              <span className="legend-fcr">Solved at first contact, per cent</span>
            </p>
            <Chart days={data} />
            <details>
              <summary>The numbers</summary>
              <Table
                label="By day"
                columns={DAYS}
                rows={data.toReversed()}
                rowId={({ day }) => day}
                empty={null}
              />
            </details>
          </>
        )}
      </Loaded>
    </section>
  );
}
