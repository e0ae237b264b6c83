import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { Sentiment } from '../live/events.ts';
import type { Track } from '../live/track.ts';
import { onThemeChange } from '../session/theme.ts';

const PAD_SECONDS = 30;
const hour = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const second = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

type Palette = Record<Sentiment | 'line' | 'text' | Mark['tone'], string>;
let palette: Palette | undefined;
onThemeChange(() => {
  palette = undefined;
});

/** Read once a theme: asking for a style makes the browser compute all that have changed. */
function colours(): Palette {
  palette ??= readColours();
  return palette;
}

function readColours(): Palette {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return {
    good: of('--good'),
    neutral: of('--neutral'),
    critical: of('--critical'),
    line: of('--line'),
    text: of('--ink-3'),
    wait: of('--wait-strong'),
    human: of('--human'),
    plain: of('--line-strong'),
  };
}

/** The line in the colour of the mood it passes through. */
function paint(plot: uPlot, track: Track): void {
  const { ctx, data } = plot;
  const [times, scores] = data;
  const paints = colours();
  ctx.save();
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.lineJoin = 'round';
  ctx.lineCap = 'round';
  const at = (index: number): [number, number] => [
    plot.valToPos(times[index] ?? 0, 'x', true),
    plot.valToPos(scores?.[index] ?? 0, 'y', true),
  ];
  let begin = 0;
  for (let index = 1; index <= times.length; index += 1) {
    const sentiment = track.sentiments[begin];
    if (index < times.length && track.sentiments[index] === sentiment) continue;
    ctx.strokeStyle = paints[sentiment ?? 'neutral'];
    ctx.beginPath();
    ctx.moveTo(...at(begin));
    // Up to the first point of the next mood, so that the line has no gaps.
    for (let next = begin; next <= Math.min(index, times.length - 1); next += 1) ctx.lineTo(...at(next));
    if (times.length === 1) ctx.lineTo(at(0)[0] + 1, at(0)[1]);
    ctx.stroke();
    begin = index;
  }
  ctx.restore();
}

export interface Mark {
  readonly seconds: number;
  readonly label: string;
  readonly tone: 'wait' | 'human' | 'critical' | 'plain';
}

function paintMarks(plot: uPlot, marks: readonly Mark[]): void {
  const { ctx } = plot;
  const paints = colours();
  const { top, height } = plot.bbox;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const { seconds, tone } of marks) {
    const x = Math.round(plot.valToPos(seconds, 'x', true));
    if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
    ctx.strokeStyle = paints[tone];
    ctx.fillStyle = ctx.strokeStyle;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    ctx.beginPath();
    ctx.arc(x, top + 3 * devicePixelRatio, 3 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();
}

interface Shown {
  readonly track: Track;
  readonly marks: readonly Mark[];
}

function makePlot(
  element: HTMLElement,
  { height, axes, shown }: { readonly height: number; readonly axes: boolean; readonly shown: () => Shown },
): uPlot {
  const axis = {
    stroke: () => colours().text,
    grid: { stroke: () => colours().line, width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const options: uPlot.Options = {
    width: Math.max(element.clientWidth, 40),
    height,
    padding: axes ? [8, 26, 0, 0] : [3, 3, 3, 3],
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: {
        time: true,
        range: (_plot, min, max) => [min ?? 0, Math.max(max ?? 0, (min ?? 0) + PAD_SECONDS)],
      },
      y: { range: [0, 100] },
    },
    axes: [
      {
        ...axis,
        show: axes,
        size: 26,
        // Wide enough for times with seconds.
        space: 100,
        values: (_plot, at) => {
          const format = (at[1] ?? 0) - (at[0] ?? 0) < 60 ? second : hour;
          return at.map((seconds) => format.format(seconds * 1_000));
        },
      },
      { ...axis, show: axes, size: 32, splits: () => [0, 50, 100] },
    ],
    // The line is our own, see paint.
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: {
      draw: [
        (drawn) => {
          paintMarks(drawn, shown().marks);
          paint(drawn, shown().track);
        },
      ],
    },
  };
  return new uPlot(options, [[], []], element);
}

const NO_MARKS: readonly Mark[] = [];

/** How satisfaction and mood went. Drawn on a canvas: screen readers get `label`, and the numbers are in the page. */
export function SentimentPlot({
  track,
  label,
  height,
  axes = false,
  marks = NO_MARKS,
}: {
  readonly track: Track;
  readonly label: string;
  readonly height: number;
  readonly axes?: boolean;
  readonly marks?: readonly Mark[];
}) {
  const place = useRef<HTMLDivElement>(null);
  const redraw = useRef<() => void>(() => {});
  const shown = useRef({ track, marks });

  useEffect(() => {
    shown.current = { track, marks };
    redraw.current();
  }, [track, marks]);

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    let plot: uPlot | undefined;
    let visible = false;
    // Of a hundred plots a dozen are on the screen; the others are drawn when they are scrolled to.
    const draw = (): void => {
      if (!visible) return;
      plot ??= makePlot(element, { height, axes, shown: () => shown.current });
      const { times, scores } = shown.current.track;
      plot.setData([[...times], [...scores]]);
    };
    redraw.current = draw;
    const sight = new IntersectionObserver((entries) => {
      visible = entries.at(-1)?.isIntersecting ?? true;
      draw();
    });
    const size = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (plot && width > 0 && width !== plot.width) plot.setSize({ width, height });
    });
    sight.observe(element);
    size.observe(element);
    const endTheme = onThemeChange(() => plot?.redraw());
    return () => {
      sight.disconnect();
      size.disconnect();
      endTheme();
      plot?.destroy();
      redraw.current = () => {};
    };
  }, [height, axes]);

  return <div ref={place} className="plot" role="img" aria-label={label} />;
}
